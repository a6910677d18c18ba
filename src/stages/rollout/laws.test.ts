import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { check } from './check.ts';
import { change, pass, scene } from './lane.testing.ts';
import { ANALYSIS, type Case, caseOf, step } from './moments.testing.ts';

const judge = ({ lane, before, situation, plan }: Case) => check(lane.rollout, before, situation, plan);

const STATES = ['ready', 'unready', 'exited', 'starting', 'failed', 'stopping'] as const;
const STRATEGIES = ['canary', 'rolling', 'blue-green', 'shadow', 'all-at-once'] as const;

test('law: whatever instances and router do, the planner makes no plan that the check refuses', () => {
  const event = fc.record({
    instance: fc.nat(20),
    state: fc.option(fc.constantFrom(...STATES)),
    loses: fc.constantFrom('nothing', 'nothing', 'nothing', 'route', 'instances', 'answers'),
    obeys: fc.integer({ min: 0, max: 4 }),
    waitsMs: fc.constantFrom(0, 200, 1_000, 6_000, 40_000),
    kind: fc.constantFrom(null, null, null, null, 'pause' as const, 'resume' as const, 'abort' as const),
    verdict: fc.constantFrom('pass' as const, 'pass' as const, 'no-data' as const, 'fail' as const),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...STRATEGIES),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 2 }),
      fc.array(event, { maxLength: 40 }),
      (strategy, old, baselineInstances, events) => {
        const steps =
          strategy === 'all-at-once' ? [] : [step(10, { requirePass: true }), step(50), step(100)];
        const lane = scene({ strategy, steps, instances: 3, baselineInstances, analysis: ANALYSIS }, old);
        for (const { instance, state, loses, obeys, waitsMs, kind, verdict } of events) {
          const chosen = lane.instances[instance % Math.max(1, lane.instances.length)];
          if (chosen && state) change(lane, new RegExp(`^${chosen.id}$`), { state });
          if (loses === 'route') lane.route = null;
          if (loses === 'instances') lane.instances = [];
          lane.nowMs += waitsMs;
          lane.more = { analysis: { verdict, reason: 'x', atMs: lane.nowMs } };
          if (loses === 'answers') lane.more.observation = null;
          if (kind) lane.more.request = { kind, actor: 'user:ann', reason: 'x', atMs: lane.nowMs };
          const given = caseOf(lane);
          assert.deepEqual(judge(given), []);
          let done = 0;
          pass(lane, () => done++ < obeys);
        }
      },
    ),
    { numRuns: 1_500 },
  );
});
