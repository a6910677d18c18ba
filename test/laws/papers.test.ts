import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { list, ROOT } from './source.ts';

const papers = list(ROOT).filter((path) => path.endsWith('.md'));

test('links between papers and files lead somewhere', () => {
  const broken = papers.flatMap((paper) =>
    [...readFileSync(paper, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => (match[1] as string).split('#')[0] as string)
      .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(dirname(paper), target)))
      .map((target) => `${relative(ROOT, paper)}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test('the index of decisions has every decision, numbered without a gap, each with the same parts', () => {
  const folder = join(ROOT, 'docs/decisions');
  const names = readdirSync(folder).filter((name) => /^\d{4}-.*\.md$/.test(name));
  const index = readFileSync(join(folder, 'README.md'), 'utf8');
  assert.deepEqual(
    names.map((name) => Number(name.slice(0, 4))).sort((a, b) => a - b),
    names.map((_, i) => i + 1),
  );
  for (const name of names) {
    assert.ok(index.includes(`(${name})`), `${name} is in the index`);
    const text = readFileSync(join(folder, name), 'utf8');
    assert.match(text, /^# \d{4} .+\n\nStatus: \w+/, name);
    for (const part of ['## Context', '## Decision'])
      assert.ok(text.includes(`\n${part}\n`), `${name}: ${part}`);
  }
});

test('the commands the papers tell of exist', () => {
  const scripts = new Set(readdirSync(join(ROOT, 'script')));
  const missing = papers.flatMap((paper) =>
    [...readFileSync(paper, 'utf8').matchAll(/\bscript\/([a-z]+)\b(?!\/)/g)]
      .map((match) => match[1] as string)
      .filter((name) => !scripts.has(name) && !scripts.has(`${name}.ts`))
      .map((name) => `${relative(ROOT, paper)}: script/${name}`),
  );
  assert.deepEqual(missing, []);
});
