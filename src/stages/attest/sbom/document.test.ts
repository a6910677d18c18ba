import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { isSlipwayError } from '../../../kernel/errors.ts';
import type { Component } from './component.ts';
import { sbomPredicate } from './document.ts';
import { cyclonedxProblem } from './testing.ts';

interface Bom {
  serialNumber: string;
  metadata: { timestamp: string; component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

const input = (...lockfiles: { path: string; bytes: Uint8Array }[]) => ({
  service: 'shop',
  commitSha: 'c0ffee',
  commitTimeMs: Date.UTC(2026, 0, 2),
  lockfiles,
});
const file = (value: unknown, path = 'package-lock.json') => ({
  path,
  bytes: Buffer.from(JSON.stringify(value)),
});
const bomOf = (packages: Record<string, unknown>) =>
  sbomPredicate(input(file({ lockfileVersion: 3, packages }))) as unknown as Bom;
const byRef = (bom: Bom, ref: string) => bom.components.find((component) => component['bom-ref'] === ref);
const edges = (bom: Bom, ref: string) => bom.dependencies.find((entry) => entry.ref === ref)?.dependsOn;
const broken = (message: RegExp) => (error: unknown) =>
  isSlipwayError(error) && error.code === 'lockfile_broken' && message.test(error.message);

const assertValid = (bom: unknown) => assert.equal(cyclonedxProblem(bom), null);

test('this repository’s own lockfile becomes a valid CycloneDX 1.6 with everything in it', () => {
  const path = fileURLToPath(new URL('../../../../package-lock.json', import.meta.url));
  const bytes = readFileSync(path);
  const bom = sbomPredicate(input({ path: 'package-lock.json', bytes })) as unknown as Bom;
  assertValid(bom);
  const { packages } = JSON.parse(bytes.toString()) as {
    packages: Record<string, { name?: string; version: string }>;
  };
  const installed = Object.entries(packages).filter(([where]) => where !== '');
  const names = new Set(
    installed.map(
      ([where, { name, version }]) => `${name ?? where.split('node_modules/').at(-1)}@${version}`,
    ),
  );
  assert.equal(bom.components.length, names.size);
  const refs = new Set([
    ...bom.components.map((component) => component['bom-ref']),
    bom.metadata.component['bom-ref'],
  ]);
  assert.equal(refs.size, bom.dependencies.length);
  for (const { dependsOn } of bom.dependencies) for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
  const fastify = bom.components.find((component) => component.name === 'fastify');
  assert.match(fastify?.purl ?? '', /^pkg:npm\/fastify@5\./);
  assert.deepEqual(fastify?.licenses, [{ license: { id: 'MIT' } }]);
  const hashed = bom.components.filter((component) => component.hashes?.[0]?.alg === 'SHA-512').length;
  assert.ok(hashed > 50, `${hashed} have a hash`);
  assert.equal(fastify?.scope, 'required');
  assert.ok(edges(bom, 'service:shop')?.includes(fastify!['bom-ref']));
  assert.ok(edges(bom, fastify!['bom-ref'])!.some((ref) => ref.startsWith('pkg:npm/pino@')));
});

test('dependencies resolve as node resolves them: nearest folder first, links and aliases followed', () => {
  const bom = bomOf({
    '': {
      name: 'root',
      workspaces: ['packages/*'],
      dependencies: { a: '1', old: '1' },
      devDependencies: { tool: '1' },
    },
    'node_modules/a': { version: '1.0.0', dependencies: { b: '^2', absent: '1' } },
    'node_modules/a/node_modules/b': { version: '2.0.0', dependencies: { c: '1' } },
    'node_modules/b': { version: '1.0.0' },
    'node_modules/c': { version: '1.0.0', optional: true },
    'node_modules/old': { name: 'real', version: '3.0.0' },
    'node_modules/tool': { version: '9.0.0', dev: true, peerDependencies: { a: '1' } },
    'node_modules/@scope/web': { resolved: 'packages/web', link: true },
    'packages/web': { name: '@scope/web', version: '0.1.0', dependencies: { b: '1', '@scope/lib': '1' } },
    'packages/web/node_modules/@scope/lib': { version: '5.0.0' },
  });
  assertValid(bom);
  assert.deepEqual(edges(bom, 'pkg:npm/a@1.0.0'), ['pkg:npm/b@2.0.0']);
  assert.deepEqual(edges(bom, 'pkg:npm/b@2.0.0'), ['pkg:npm/c@1.0.0']);
  assert.deepEqual(edges(bom, 'service:shop'), [
    'pkg:npm/%40scope/lib@5.0.0',
    'pkg:npm/a@1.0.0',
    'pkg:npm/b@1.0.0',
    'pkg:npm/real@3.0.0',
    'pkg:npm/tool@9.0.0',
  ]);
  assert.equal(byRef(bom, 'pkg:npm/tool@9.0.0')?.scope, 'excluded');
  assert.equal(byRef(bom, 'pkg:npm/c@1.0.0')?.scope, 'optional');
  const lib = byRef(bom, 'pkg:npm/%40scope/lib@5.0.0');
  assert.deepEqual([lib?.group, lib?.name], ['@scope', 'lib']);
  assert.equal(bom.components.length, 7);
});

test('the same package twice is one component, needed when one of its places is', () => {
  const bom = bomOf({
    'node_modules/a': { version: '1.0.0', dev: true },
    'node_modules/b/node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '1.0.0', resolved: 'https://other.example/b.tgz' },
    'node_modules/c/node_modules/b': { version: '1.0.0' },
  });
  assertValid(bom);
  const a = byRef(bom, 'pkg:npm/a@1.0.0');
  assert.equal(a?.scope, 'required');
  assert.equal(a?.properties?.length, 2);
  assert.equal(bom.components.filter((component) => component.name === 'b').length, 2);
});

test('licences: ids, expressions and words; integrity of a wrong length is no hash', () => {
  const bom = bomOf({
    'node_modules/a': {
      version: '1.0.0',
      license: '(MIT OR Apache-2.0)',
      integrity: 'sha1-AAAA sha512-AAAA md5-x junk',
    },
    'node_modules/b': {
      version: '1.0.0',
      license: 'SEE LICENSE IN LICENSE.txt',
      integrity: `sha1-${Buffer.alloc(20, 1).toString('base64')}`,
    },
    'node_modules/c': { version: '1.0.0', license: 'GPL-2.0-only WITH Classpath-exception-2.0' },
    'node_modules/d': { version: '1.0.0', license: 'MIT) OR (MIT' },
    'node_modules/e': { version: '1.0.0', license: { type: 'MIT' } },
  });
  assertValid(bom);
  const of = (name: string) => bom.components.find((component) => component.name === name);
  assert.deepEqual(of('a')?.licenses, [{ expression: '(MIT OR Apache-2.0)' }]);
  assert.equal(of('a')?.hashes, undefined);
  assert.deepEqual(of('b')?.licenses, [{ license: { name: 'SEE LICENSE IN LICENSE.txt' } }]);
  assert.deepEqual(of('b')?.hashes, [{ alg: 'SHA-1', content: '01'.repeat(20) }]);
  assert.deepEqual(of('c')?.licenses, [{ expression: 'GPL-2.0-only WITH Classpath-exception-2.0' }]);
  assert.deepEqual(of('d')?.licenses, [{ license: { name: 'MIT) OR (MIT' } }]);
  assert.equal(of('e')?.licenses, undefined);
});

test('law: the order of files and of packages does not change a byte; a changed version does', () => {
  const packages = fc.uniqueArray(
    fc.record({ name: fc.stringMatching(/^[a-z]{1,6}$/), version: fc.stringMatching(/^\d\.\d\.\d$/) }),
    {
      selector: ({ name }) => name,
      minLength: 1,
    },
  );
  fc.assert(
    fc.property(packages, (list) => {
      const document = (some: typeof list) =>
        file({
          lockfileVersion: 3,
          packages: Object.fromEntries(
            some.map(({ name, version }) => [`node_modules/${name}`, { version }]),
          ),
        });
      const other = file({ lockfileVersion: 2, packages: {} }, 'web/package-lock.json');
      const text = JSON.stringify(sbomPredicate(input(document(list), other)));
      assert.equal(JSON.stringify(sbomPredicate(input(other, document(list.toReversed())))), text);
      const changed = list.map((one, i) => (i === 0 ? { ...one, version: '99.0.0' } : one));
      const [a, b] = [text, JSON.stringify(sbomPredicate(input(document(changed), other)))].map(
        (json) => (JSON.parse(json) as Bom).serialNumber,
      );
      assert.notEqual(a, b);
      assert.match(a!, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }),
    { numRuns: 50 },
  );
});

test('a service without a lockfile says that nothing is known', () => {
  const bom = sbomPredicate(input()) as { compositions: { aggregate: string }[]; components: unknown[] };
  assertValid(bom);
  assert.equal(bom.compositions[0]?.aggregate, 'unknown');
});

test('broken lockfiles are named with what is wrong', () => {
  const of = (text: string) => () =>
    sbomPredicate(input({ path: 'a/package-lock.json', bytes: Buffer.from(text) }));
  assert.throws(
    of('{\n  "lockfileVersion": 3,\n  oops'),
    broken(/^a\/package-lock\.json: it is not JSON \(line 3 column 3\)/),
  );
  assert.throws(of(''), broken(/not JSON/));
  assert.throws(of('[]'), broken(/not a JSON object/));
  assert.throws(of('{"lockfileVersion": 1, "dependencies": {}}'), broken(/lockfileVersion is 1/));
  assert.throws(of('{}'), broken(/lockfileVersion is none/));
  assert.throws(of('{"lockfileVersion": 3}'), broken(/no "packages"/));
  assert.throws(of('{"lockfileVersion": 3, "packages": {"node_modules/a": 7}}'), broken(/is not an object/));
  assert.throws(
    of('{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": 7}}}'),
    broken(/version is not a text/),
  );
  assert.throws(of('['.repeat(100_000)), broken(/not JSON/));
  assert.throws(of(' '.repeat(17 * 1024 * 1024)), broken(/more than/));
});

test('law: whatever a lockfile holds, the answer is a valid document or lockfile_broken', () => {
  const name = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('__proto__', 'constructor', '@a/b', '@', '', '..'),
  );
  const text = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('git+ssh://git@h/x.git#1', 'https://r/x.tgz', 'file:../x', 'x y'),
  );
  const entry = fc.dictionary(
    fc.constantFrom(
      'name',
      'version',
      'resolved',
      'integrity',
      'license',
      'link',
      'dev',
      'dependencies',
      'peerDependencies',
    ),
    fc.oneof(text, fc.boolean(), fc.dictionary(name, text)),
  );
  const path = fc
    .array(fc.oneof(name, fc.constant('node_modules')), { maxLength: 5 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.dictionary(path, entry), (packages) => {
      let bom: unknown;
      try {
        bom = bomOf(packages);
      } catch (error) {
        assert.ok(broken(/./)(error), String(error));
        return;
      }
      assertValid(bom);
    }),
    { numRuns: 150 },
  );
});
