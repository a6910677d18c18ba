import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeResults, type Result } from './results.ts';

const result = (name: string, output: string): Result => ({
  name,
  about: `About ${name}.`,
  command: `node bench/${name}.ts`,
  date: '2026-01-02',
  machine: '2 cores',
  commit: 'abc',
  output,
});
const names = ['build', 'router', 'ledger'];

test('results come in the fixed order, and a narrowed run leaves the others as they are', () => {
  const first = mergeResults('', [result('ledger', 'L1'), result('build', 'B1')], names);
  assert.ok(first.indexOf('B1') < first.indexOf('L1'));
  const second = mergeResults(first, [result('ledger', 'L2')], names);
  assert.ok(second.includes('B1') && second.includes('L2') && !second.includes('L1'));
  assert.equal(mergeResults(second, [], names), second);
});

test('a section of a bench that is gone goes, and output cannot break out of its block', () => {
  const first = mergeResults(
    '',
    [result('old', 'x'), result('build', '```\n## router\n')],
    [...names, 'old'],
  );
  const second = mergeResults(first, [], names);
  assert.ok(!second.includes('## old'));
  assert.equal(second.match(/```/g)?.length, 2);
});
