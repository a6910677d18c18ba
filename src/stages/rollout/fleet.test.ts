import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { capacityFor, sortFleet, stableSize, stepWanted, stepWeights } from './fleet.ts';
import { instanceOf, NEW, OLD, rolloutOf, specOf } from './rollout.testing.ts';

const step = (weight: number) => ({ weight, minimumS: 0, requirePass: false, manual: false, deadlineS: 1 });

test('law: weights of a step sum to 100, give the canary exactly its share and the baseline no more than it can carry', () => {
  fc.assert(
    fc.property(
      // Percentages with up to three decimals, as the configuration allows them.
      fc.integer({ min: 0, max: 100_000 }).map((n) => n / 1_000),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      (weight, instances, canaries, baselines) => {
        const spec = specOf({
          steps: [step(weight)],
          instances,
          canaryInstances: Math.min(canaries, instances),
          baselineInstances: Math.min(baselines, instances),
        });
        const weights = stepWeights(rolloutOf({ spec }), 0);
        assert.ok(Math.abs(weights.stable + weights.baseline + weights.canary - 100) < 1e-6);
        assert.ok(Object.values(weights).every((value) => value >= 0 && value <= 100));
        assert.equal(weights.canary, weight);
        const wanted = stepWanted(rolloutOf({ spec }), 0);
        assert.ok(wanted.canary >= capacityFor(weights.canary, instances));
        assert.ok(wanted.baseline >= capacityFor(weights.baseline, instances));
        assert.ok(wanted.canary <= instances);
      },
    ),
    { numRuns: 5_000 },
  );
});

test('the baseline gets the load of the canary, instance for instance', () => {
  const spec = specOf({ steps: [step(20)], instances: 10, canaryInstances: 2, baselineInstances: 2 });
  assert.deepEqual(stepWeights(rolloutOf({ spec }), 0), { stable: 60, baseline: 20, canary: 20 });
  assert.deepEqual(stepWeights(rolloutOf({ spec: { ...spec, strategy: 'shadow' } }), 0).canary, 0);
  assert.deepEqual(stepWeights(rolloutOf({ previousDigest: null }), 0), {
    stable: 0,
    baseline: 0,
    canary: 100,
  });
});

test('a share needs its part of the full size, rounded up, and at least one', () => {
  assert.deepEqual(
    [0, 1, 10, 11, 50, 100].map((weight) => capacityFor(weight, 10)),
    [0, 1, 1, 2, 5, 10],
  );
});

test('instances are sorted by who started them and what they run', () => {
  const rollout = rolloutOf();
  const ids = (group: readonly { id: string }[]) => group.map(({ id }) => id);
  const instances = [
    instanceOf('newnewnewnew-c1', NEW),
    instanceOf('newnewnewnew-b1', OLD),
    instanceOf('newnewnewnew-s1', OLD),
    instanceOf('oldoldoldold-c2', OLD),
    instanceOf('oldoldoldold-c1', OLD),
    // The same bytes as the canary, left by an earlier try: not this rollout's.
    instanceOf('zzzzzzzzzzzz-c1', NEW),
  ];
  const fleet = sortFleet(rollout, instances, ['oldoldoldold-c2']);
  assert.deepEqual(ids(fleet.canary), ['newnewnewnew-c1']);
  assert.deepEqual(ids(fleet.baseline), ['newnewnewnew-b1']);
  assert.deepEqual(ids(fleet.stable), ['newnewnewnew-s1', 'oldoldoldold-c1']);
  assert.deepEqual(ids(fleet.strays), ['zzzzzzzzzzzz-c1']);
  assert.deepEqual(ids(fleet.leaving), ['oldoldoldold-c2']);
  assert.equal(stableSize(rollout, fleet), 2);
  assert.equal(
    stableSize(rolloutOf({ spec: specOf({ instances: 1 }) }), fleet),
    1,
    'a replacement is no original',
  );
});
