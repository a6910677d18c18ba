import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTest, parse, ROOT, sourceFiles } from './source.ts';
import { forbidden, zoneOf } from './zones.ts';

const files = sourceFiles();
const byPath = new Map(files.map((file) => [file.path, file]));

test('every import is one the table of ARCHITECTURE.md allows', () => {
  const found = files.flatMap((file) =>
    isTest(file.path)
      ? []
      : file.imports.flatMap(({ target, own, line }) => {
          const why = own ? forbidden(file.path, target) : packageForbidden(file.path, target);
          return why === null ? [] : [`${file.path}:${line}: ${why} (${target})`];
        }),
  );
  assert.deepEqual(found, []);
});

test('tests keep to their stage too; only whole-product tests cross', () => {
  const crossing = files.flatMap((file) => {
    const zone = zoneOf(file.path);
    if (!isTest(file.path) || !zone?.name.startsWith('stages/')) return [];
    return file.imports
      .filter(({ target, own }) => own && zoneOf(target)?.name.startsWith('stages/'))
      .filter(({ target }) => zoneOf(target)?.name !== zone.name)
      .map(({ target, line }) => `${file.path}:${line}: ${target}`);
  });
  assert.deepEqual(crossing, []);
});

test('nothing that ships imports what only tests use', () => {
  const found = files.flatMap((file) =>
    isTest(file.path) || !/^(src|web\/src)\//.test(file.path)
      ? []
      : file.imports
          .filter(({ target, own }) => own && (isTest(target) || target.startsWith('script/')))
          .map(({ target, line }) => `${file.path}:${line}: ${target}`),
  );
  assert.deepEqual(found, []);
});

test('imports name a file that is there, with its extension, and nothing that is computed', () => {
  const found = files.flatMap((file) =>
    file.imports.flatMap(({ target, own, line }) => {
      if (target === '?') return isTest(file.path) ? [] : [`${file.path}:${line}: a computed import`];
      return own && !existsSync(join(ROOT, target)) ? [`${file.path}:${line}: no file ${target}`] : [];
    }),
  );
  assert.deepEqual(found, []);
});

test('no file imports itself by way of others', () => {
  assert.deepEqual(
    cycles(new Map(files.map(({ path, imports }) => [path, imports.map(({ target }) => target)]))),
    [],
  );
});

/** Libraries that compute and do nothing else. */
const PURE_PACKAGES = /^(node:crypto|node:util|@bufbuild\/cel)$/;

test('what plan.ts, judge.ts and check.ts load has no effects, however deep', () => {
  const found: string[] = [];
  for (const file of files) {
    if (!/^src\/.*\/(plan|judge|check)\.ts$/.test(file.path)) continue;
    for (const path of loadedBy(file.path)) {
      for (const { target, own, typeOnly, line } of byPath.get(path)?.imports ?? [])
        if (!own && !typeOnly && !PURE_PACKAGES.test(target))
          found.push(`${file.path} loads ${target} by way of ${path}:${line}`);
    }
  }
  assert.deepEqual(found, []);
});

test('plan.ts, judge.ts and check.ts ask no clock and no dice, however deep', () => {
  const found = new Set<string>();
  for (const file of files) {
    if (!/^src\/.*\/(plan|judge|check)\.ts$/.test(file.path)) continue;
    for (const path of loadedBy(file.path)) {
      const match =
        /\b(Date\.now|performance\.now|Math\.random|new Date\(\)|process\.hrtime|randomBytes|randomUUID)\b/.exec(
          byPath.get(path)?.text ?? '',
        );
      if (match) found.add(`${path}: ${match[1]}`);
    }
  }
  assert.deepEqual([...found], []);
});

test('the law itself: it sees every form of import, and forbids what is not listed', () => {
  const file = parse(
    'src/stages/build/plan.ts',
    `import { a } from '../../kernel/a.ts';
     import type { b } from '../gate/b.ts';
     export { c } from '../scan/c.ts';
     export * from './d.ts';
     type E = import('../attest/e.ts').E;
     const f = await import('../source/f.ts');
     const g = await import(name);`,
  );
  assert.deepEqual(
    file.imports.map(({ target, typeOnly }) => [target, typeOnly]),
    [
      ['src/kernel/a.ts', false],
      ['src/stages/gate/b.ts', true],
      ['src/stages/scan/c.ts', false],
      ['src/stages/build/d.ts', false],
      ['src/stages/attest/e.ts', true],
      ['src/stages/source/f.ts', false],
      ['?', false],
    ],
  );
  for (const [from, to] of [
    ['src/kernel/ids.ts', 'src/platform/clock.ts'],
    ['src/platform/log.ts', 'src/support/ledger/append.ts'],
    ['src/support/access/store.ts', 'src/support/ledger/append.ts'],
    ['src/stages/build/apply.ts', 'src/stages/attest/sign.ts'],
    ['src/stages/build/apply.ts', 'src/flow/wire.ts'],
    ['src/router/lane.ts', 'src/support/access/token.ts'],
    ['src/server/app.ts', 'src/worker/main.ts'],
    ['src/cli/main.ts', 'src/local.ts'],
    ['src/cli/main.ts', 'src/platform/log.ts'],
    ['web/src/main.tsx', 'src/server/app.ts'],
  ] as const) {
    assert.notEqual(forbidden(from, to), null, `${from} -> ${to}`);
  }
  assert.equal(forbidden('src/stages/build/apply.ts', 'src/support/ledger/append.ts'), null);
  const ring = new Map([
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['a']],
    ['d', ['d', 'a']],
  ]);
  assert.deepEqual(cycles(ring), ['a b c', 'd']);
});

function packageForbidden(path: string, specifier: string): string | null {
  const zone = zoneOf(path);
  return zone?.packages && specifier !== '?' && !zone.packages.test(specifier)
    ? `${zone.name} may not load it`
    : null;
}

/** The file and all it loads at run time, types left out. */
function loadedBy(path: string): Set<string> {
  const seen = new Set<string>();
  const waiting = [path];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const { target, own, typeOnly } of byPath.get(next)?.imports ?? [])
      if (own && !typeOnly) waiting.push(target);
  }
  return seen;
}

/** Strongly connected parts of more than one file, each sorted and joined (Tarjan 1972). */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file) as number);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!graph.has(next)) continue;
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file) as number, low.get(next) as number));
    }
    if (low.get(file) !== index.get(file)) return;
    const part = stack.splice(stack.indexOf(file));
    if (part.length > 1 || graph.get(file)?.includes(file)) found.push(part.sort().join(' '));
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found.sort();
}
