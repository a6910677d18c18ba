import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LIMITS } from './limits.ts';
import { type InstanceLogs, lastWords, openLogs } from './logs.ts';

let directory: string;
let logs: InstanceLogs;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-logs-'));
  logs = await openLogs(directory);
});
after(() => rm(directory, { recursive: true, force: true }));

test('the tail gives whole lines', async () => {
  writeFileSync(logs.pathOf('a'), 'one\ntwo\nthree\n');
  assert.equal(await logs.tail('a', 2), 'two\nthree\n');
  assert.equal(await logs.tail('a', 3), 'one\ntwo\nthree\n');
  assert.equal(await logs.tail('a', 99), 'one\ntwo\nthree\n');
  assert.equal(await logs.tail('a', 0), '');
  writeFileSync(logs.pathOf('b'), 'one\nunfinished');
  assert.equal(await logs.tail('b', 1), 'unfinished');
  writeFileSync(logs.pathOf('c'), '\nx\n');
  assert.equal(await logs.tail('c', 1), 'x\n');
  assert.equal(await logs.tail('c', 2), '\nx\n');
  assert.equal(await logs.tail('none', 5), '');
});

test('a log that is too long is rotated under its writer; no line is lost, the tail spans both parts', async () => {
  const writer = openSync(logs.pathOf('long'), 'a');
  writeSync(writer, `${'x'.repeat(LIMITS.logBytes)}\nlast of the old\n`);
  await logs.tidy(new Set(['long']));
  assert.equal(statSync(logs.pathOf('long')).size, 0);
  writeSync(writer, 'first of the new\n');
  closeSync(writer);
  assert.equal(
    statSync(logs.pathOf('long')).size,
    'first of the new\n'.length,
    'the writer appends at the new start',
  );
  assert.equal(await logs.tail('long', 2), 'last of the old\nfirst of the new\n');
});

test('a follower sees what is written, across a rotation, and ends when the instance does', async () => {
  writeFileSync(logs.pathOf('followed'), 'before\n');
  let ended = false;
  const seen: string[] = [];
  const following = (async () => {
    for await (const chunk of logs.follow('followed', 1, new AbortController().signal, () => ended)) {
      seen.push(chunk.toString());
      if (seen.length === 1) writeFileSync(logs.pathOf('followed'), 'during\n', { flag: 'a' });
      if (seen.length === 2) writeFileSync(logs.pathOf('followed'), 'anew\n');
      if (seen.length === 3) ended = true;
    }
  })();
  await following;
  assert.deepEqual(seen, ['before\n', 'during\n', 'anew\n']);
});

test('logs of forgotten instances are kept up to a number; those of living ones always', async () => {
  for (let i = 0; i < LIMITS.keptLogs + 20; i++) {
    writeFileSync(logs.pathOf(`old-${i}`), 'x');
    utimesSync(logs.pathOf(`old-${i}`), 1_000 + i, 1_000 + i);
  }
  await logs.tidy(new Set(['old-0', 'a', 'b', 'c', 'long', 'followed']));
  const names = readdirSync(directory).filter((name) => name.startsWith('old-'));
  assert.equal(names.length, LIMITS.keptLogs + 1);
  assert.ok(names.includes('old-0.log') && !names.includes('old-1.log') && names.includes('old-219.log'));
});

test('last words are few, short and without control characters', () => {
  const words = lastWords(`${'l\n'.repeat(50)}\u001b[31mred\u001b[0m\r\n\n`);
  assert.equal(words.split('\n').length, LIMITS.reasonLines);
  assert.match(words, /l\n \[31mred \[0m$/);
  assert.equal(lastWords('y'.repeat(10_000)).length, LIMITS.reasonCharacters);
});
