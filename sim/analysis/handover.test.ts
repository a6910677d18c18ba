import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BAD, handover, SOUND } from './handover.ts';

const RUNS = 40;
const outcomes = (run: (seed: number) => ReturnType<typeof handover>) =>
  Array.from({ length: RUNS }, (_, i) => run(50_000 + i));
const median = (values: readonly (number | null)[]) =>
  values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)[RUNS / 2] as number;

test('a bad release a minute after a good one is found much sooner than without history', () => {
  const known = outcomes((seed) => handover(seed, BAD));
  const unknown = outcomes((seed) => handover(seed, BAD, SOUND, 0));
  const seconds = median(known.map(({ failedAtS }) => failedAtS));
  assert.ok(seconds <= 20, `${seconds} s`);
  assert.ok(median(unknown.map(({ failedAtS }) => failedAtS)) >= 1.5 * seconds);
  assert.ok(median(known.map(({ failures }) => failures)) <= 10);
});

test('what a wide margin would pass is seldom passed while it looks worse', () => {
  const promoted = (outcome: ReturnType<typeof handover>) => outcome.promotedAtS !== null;
  assert.ok(outcomes((seed) => handover(seed, BAD)).filter(promoted).length <= 1);
  const failing = outcomes((seed) => handover(seed, { ...BAD, waits: 0 })).filter(promoted);
  // Without that rule nine of ten are.
  assert.ok(failing.length <= 12, `${failing.length} of ${RUNS}`);
});

test('a release that is no worse goes on, also where errors come in clumps', () => {
  const sound = outcomes((seed) => handover(seed, SOUND));
  assert.ok(sound.filter(({ failedAtS }) => failedAtS !== null).length <= 2);
  const seconds = median(sound.map(({ promotedAtS }) => promotedAtS));
  assert.ok(seconds <= 25, `${seconds} s`);
  const clumped = { ...SOUND, fails: 0.01, clump: 5 };
  const rolledBack = outcomes((seed) => handover(seed, clumped, clumped)).filter(
    ({ failedAtS }) => failedAtS !== null,
  );
  assert.ok(rolledBack.length <= 5, `${rolledBack.length} of ${RUNS}`);
});
