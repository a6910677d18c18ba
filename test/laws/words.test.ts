import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import {
  isTest,
  lineOf,
  list,
  type Node,
  parse,
  ROOT,
  type SourceFile,
  sourceFiles,
  walk,
} from './source.ts';

/** Where values are changed in ways their types do not allow. */
const LOOSE: Readonly<Record<string, string>> = {
  'src/stages/attest/cosign.test.ts': 'bundles are tampered with member by member',
};

test('no any, no silenced compiler, no default export', () => {
  assert.deepEqual(
    sourceFiles().flatMap((file) => [...silenced(file), ...(file.path in LOOSE ? [] : untyped(file))]),
    [],
  );
});

/** Where a value has to pass through `unknown`, and why. */
const FORCED_CASTS: Readonly<Record<string, string>> = {
  'src/platform/http/route.ts': 'a route typed by its schemas is stored beside others of other types',
};

test('no `as unknown as` outside tests but where it is listed', () => {
  const found = sourceFiles()
    .filter((file) => /^(src|web\/src)\//.test(file.path) && !isTest(file.path))
    .filter(({ program }) => {
      let forced = false;
      walk(program, (node) => {
        const inner = node.expression as Node | undefined;
        const type = (inner?.typeAnnotation as Node | undefined)?.type;
        if (node.type === 'TSAsExpression' && inner?.type === 'TSAsExpression' && type === 'TSUnknownKeyword')
          forced = true;
      });
      return forced;
    })
    .map((file) => file.path);
  assert.deepEqual(found, Object.keys(FORCED_CASTS));
});

test('nothing is left for later', () => {
  const found = sourceFiles().flatMap((file) =>
    file.comments
      .filter(({ value }) => /\b(TODO|FIXME|XXX|HACK)\b(?! points?\b)/.test(value))
      .filter(() => !file.path.includes('/reports/'))
      .map(({ start }) => `${file.path}:${lineOf(file.text, start)}`),
  );
  assert.deepEqual(found, []);
});

/** Tests that need a tool script/test installs; under CI=true script/test fails when anything was skipped. */
const CONDITIONAL_SKIPS: Readonly<Record<string, string>> = {
  'src/stages/registry/skopeo.test.ts': 'skopeo',
  'src/stages/registry/client.test.ts': 'docker-registry',
};

test('no test is skipped, left to do, or run alone', () => {
  const found = sourceFiles().filter((file) => isTest(file.path) && marksTests(file));
  assert.deepEqual(found.map((file) => file.path).sort(), Object.keys(CONDITIONAL_SKIPS).sort());
});

test('files name no machine and no private host', () => {
  const patterns = [
    ['/', 'work', '/'],
    ['/tmp/', 'bash_', 'jobs'],
    ['/', 'root', '/'],
    ['/', 'Users', '/'],
  ].map((parts) => new RegExp(`(^|[\\s'"\`=(:])${parts.join('')}`));
  const found = texts().flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, i) => (patterns.some((pattern) => pattern.test(line)) ? [`${path}:${i + 1}`] : [])),
  );
  assert.deepEqual(found, []);
});

test('the lockfile names the public registry alone', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const hosts = [...lock.matchAll(/"resolved": "([a-z+]+:\/\/[^/]+)/g)].map((match) => match[1]);
  assert.deepEqual(
    [...new Set(hosts)].filter((host) => host !== 'https://registry.npmjs.org'),
    [],
  );
});

test('the law itself sees what it forbids', () => {
  const bad = parse(
    'src/x.test.ts',
    `// @ts-ignore
     export default function f(a: any) {}
     test.only('a', () => {});
     describe('b', { skip: true }, () => {});
     it('c', () => t.skip());`,
  );
  assert.deepEqual(
    [...silenced(bad), ...untyped(bad)].map((line) => line.replace('src/x.test.ts', '')),
    [':1: a silenced compiler', ':2: a default export', ':2: any'],
  );
  assert.ok(marksTests(bad));
  for (const text of [
    `test('a', { todo: 'x' }, f)`,
    `it.skip('a', f)`,
    `test('a', (t) => t.skip())`,
    `test('a', { skip }, f)`,
  ])
    assert.ok(marksTests(parse('a.test.ts', text)), text);
  assert.ok(!marksTests(parse('a.test.ts', `await reader.skip(4); const only = { skip: [] };`)));
});

function silenced(file: SourceFile): string[] {
  return file.comments
    .filter(({ value }) => /^\W*@ts-(ignore|nocheck|expect-error)/.test(value))
    .map(({ start }) => `${file.path}:${lineOf(file.text, start)}: a silenced compiler`);
}

/** What tools load by path has its default export: configuration, and the reporter of node:test. */
const LOADED_BY_PATH = /\.config\.ts$|^script\/lib\/test\/slowest\.ts$/;

function untyped({ path, text, program }: SourceFile): string[] {
  const found: string[] = [];
  walk(program, (node) => {
    const line = `${path}:${lineOf(text, node.start)}`;
    if (node.type === 'TSAnyKeyword') found.push(`${line}: any`);
    if (node.type === 'ExportDefaultDeclaration' && !LOADED_BY_PATH.test(path))
      found.push(`${line}: a default export`);
  });
  return found;
}

const MARKS = ['skip', 'todo', 'only'];
const TESTS = new Set(['test', 'it', 'describe', 'suite']);

/** `test.skip(...)`, `t.skip()`, or an options object with skip, todo or only. */
function marksTests({ program }: SourceFile): boolean {
  let marked = false;
  walk(program, (node) => {
    if (node.type !== 'CallExpression') return;
    const callee = node.callee as Node & {
      name?: string;
      object?: { name?: string };
      property?: { name?: string };
    };
    const object = callee.object?.name ?? '';
    if ((TESTS.has(object) || object === 't') && MARKS.includes(callee.property?.name ?? '')) marked = true;
    if (!TESTS.has(callee.name ?? object)) return;
    for (const argument of node.arguments as readonly Node[])
      for (const property of (argument.type === 'ObjectExpression'
        ? argument.properties
        : []) as readonly Node[])
        if (MARKS.includes((property.key as { name?: string } | undefined)?.name ?? '')) marked = true;
  });
  return marked;
}

const MAX_TEXT_BYTES = 2_000_000;

/** Every text in the tree but what is installed, built or kept by a run. */
function texts(): { path: string; text: string }[] {
  return list(ROOT)
    .filter((path) => statSync(path).size < MAX_TEXT_BYTES)
    .map((path) => ({ path: relative(ROOT, path), text: readFileSync(path, 'utf8') }))
    .filter(({ text }) => !text.includes('\0'));
}
