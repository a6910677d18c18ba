import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES, type ErrorCode } from '../../src/kernel/errors.ts';
import { isTest, ROOT, sourceFiles, walk } from './source.ts';

const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
const codes = Object.keys(ERROR_CODES) as ErrorCode[];

/** Of each code's section: its line of facts, and what stands below. */
const sections = new Map(
  page
    .slice(page.indexOf('## Codes'))
    .split(/^### /m)
    .slice(1)
    .map((text) => {
      const [code = '', , facts = '', , ...rest] = text.split('\n');
      return [code, { facts, rest: rest.join('\n') }] as const;
    }),
);

test('every error code is documented, and nothing else', () => {
  assert.deepEqual([...sections.keys()], codes);
});

test('the page gives the status, the exit code and the split of the code, its title and what to do', () => {
  for (const code of codes) {
    const { status, exit, retryable, title } = ERROR_CODES[code];
    const { facts, rest } = sections.get(code) ?? { facts: '', rest: '' };
    const [http, exits, split] = facts.split(' · ');
    assert.deepEqual(
      [http, exits, split],
      [`HTTP ${status}`, `exit ${exit}`, retryable ? 'retryable' : 'terminal'],
      code,
    );
    assert.ok(rest.startsWith(`${title}. `), `${code} begins with its title`);
    assert.match(rest, /\n\*\*What to do\.\*\* \S.{5,}/, `${code} says what to do`);
  }
});

test('a code nothing gives is marked as reserved', () => {
  const used = new Set<string>();
  for (const file of sourceFiles()) {
    const lists = file.path === 'src/kernel/errors.ts' || file.path.endsWith('.d.ts');
    if (!file.path.startsWith('src/') || isTest(file.path) || lists) continue;
    walk(file.program, (node) => {
      if (node.type === 'Literal' && typeof node.value === 'string') used.add(node.value);
    });
  }
  for (const code of codes)
    assert.equal(sections.get(code)?.facts.includes('reserved') ?? false, !used.has(code), code);
});

test('every exit code is in the table', () => {
  const table = [...page.matchAll(/^\| (\d+) \| /gm)].map((match) => Number(match[1]));
  for (const code of codes) assert.ok(table.includes(ERROR_CODES[code].exit), code);
});
