import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from './simulate.ts';

const SEEDS = 1_500;

test(`${SEEDS} worlds: every invariant holds, every rollout ends, every lane comes to rest`, async () => {
  const outcomes: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = await simulate(seed);
    assert.equal(run.broken, null, `node sim/run.ts --seed ${seed}`);
    for (const [outcome, n] of Object.entries(run.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + n;
  }
  // A simulator in which nothing happens finds nothing.
  for (const outcome of ['succeeded', 'rolled-back', 'aborted', 'failed'])
    assert.ok((outcomes[outcome] ?? 0) > SEEDS / 20, `${outcome}: ${outcomes[outcome]}`);
});

test('a seed gives the same run, byte for byte, with and without other runs before it', async () => {
  const first = await simulate(4_586, true);
  await simulate(12);
  const second = await simulate(4_586, true);
  assert.ok(first.trace.length > 50);
  assert.equal(first.trace.join('\n'), second.trace.join('\n'));
  assert.equal(first.traceHash, second.traceHash);
  assert.notEqual(first.traceHash, (await simulate(4_587, true)).traceHash);
});
