import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AnalysisSpec, BudgetSpec, RolloutSpec, RolloutStep } from '../../kernel/rollout.ts';
import { analyze } from './plan.ts';
import { budgetedSteps } from './ramp.ts';
import { ERRORS_ONLY, type Load, Traffic } from './traffic.testing.ts';

const CAREFUL: readonly RolloutStep[] = [
  { weight: 1, minimumS: 300, requirePass: true, manual: false, deadlineS: 7200 },
  { weight: 50, minimumS: 300, requirePass: true, manual: false, deadlineS: 7200 },
];
const BUDGET: BudgetSpec = {
  objective: 0.999,
  periodS: 30 * 86_400,
  share: 0.002,
  minimumBad: 5,
  ramp: { harm: 1 },
  ratePerS: null,
};
const ANALYSIS: AnalysisSpec = { ...ERRORS_ONLY, warmupS: 15, budget: BUDGET };

function spec(budget: Partial<BudgetSpec> = {}, change: Partial<RolloutSpec> = {}): RolloutSpec {
  return {
    strategy: 'canary',
    steps: CAREFUL,
    instances: 4,
    canaryInstances: 2,
    baselineInstances: 2,
    progressDeadlineS: 43_200,
    readyDeadlineS: 120,
    drainS: 10,
    onInconclusive: 'rollback',
    analysis: { ...ANALYSIS, budget: { ...BUDGET, ...budget } },
    ...change,
  };
}

const weights = (steps: readonly RolloutStep[]) => steps.map(({ weight }) => weight);

test('steps are as heavy as the budget allows, and last as long as finding what the next must not fear takes', () => {
  const steps = budgetedSteps(spec(), { ratePerS: 100, errorRate: 0.001 });
  // 518 bad requests are allowed; for 25 s a total failure at 10 % costs 250 of them, at 25 % 625.
  assert.deepEqual(weights(steps), [10, 50]);
  assert.deepEqual(
    steps.map(({ requirePass }) => requirePass),
    [false, true],
    'the last step before all traffic is proven',
  );
  for (const { minimumS } of steps) assert.ok(minimumS >= 25 && minimumS <= 60, `${minimumS}`);
});

test('a smaller share, slower traffic or a longer warm-up make the steps more careful', () => {
  const traffic = { ratePerS: 100, errorRate: 0.001 };
  assert.equal(budgetedSteps(spec({ share: 0.0005 }), traffic)[0]?.weight, 2);
  assert.equal(budgetedSteps(spec({ share: 0.5 }), traffic)[0]?.weight, 25, 'never the larger part at first');
  const slowStart = spec({}, { analysis: { ...ANALYSIS, warmupS: 200 } });
  assert.equal(budgetedSteps(slowStart, traffic)[0]?.weight, 2);
  const longer = (ratePerS: number) =>
    budgetedSteps(spec(), { ratePerS, errorRate: 0.001 }).reduce((sum, { minimumS }) => sum + minimumS, 0);
  assert.ok(longer(20) > longer(100) && longer(100) > longer(1000));
});

test('unknown or little traffic, and a strategy without a ramp, keep the steps as written', () => {
  const traffic = { ratePerS: 100, errorRate: 0 };
  assert.equal(budgetedSteps(spec(), null), CAREFUL);
  assert.equal(budgetedSteps(spec(), { ratePerS: 0, errorRate: 0 }), CAREFUL);
  assert.equal(budgetedSteps(spec(), { ratePerS: 1, errorRate: 0 }), CAREFUL, 'proof alone would cost more');
  assert.equal(budgetedSteps(spec({ ramp: null }), traffic), CAREFUL);
  assert.equal(budgetedSteps(spec({}, { analysis: null }), traffic), CAREFUL);
  assert.equal(budgetedSteps(spec({}, { progressDeadlineS: 100 }), traffic), CAREFUL, 'no time for it');
});

test('law: weights rise, every step has time, and all of it fits the deadline', () => {
  const figures = fc.record({
    ratePerS: fc.double({ min: 0.01, max: 1e5, noNaN: true }),
    errorRate: fc.double({ min: 0, max: 0.2, noNaN: true }),
    share: fc.double({ min: 1e-5, max: 1, noNaN: true }),
    harm: fc.double({ min: 0.001, max: 1, noNaN: true }),
    deadline: fc.integer({ min: 10, max: 1e6 }),
    baselineInstances: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(figures, ({ ratePerS, errorRate, share, harm, deadline, baselineInstances }) => {
      const of = spec({ share, ramp: { harm } }, { progressDeadlineS: deadline, baselineInstances });
      const steps = budgetedSteps(of, { ratePerS, errorRate });
      if (steps === CAREFUL) return;
      assert.ok(steps.length > 0 && (steps[0]?.weight ?? 99) <= 25);
      assert.deepEqual(
        weights(steps),
        [...new Set(weights(steps))].sort((a, b) => a - b),
      );
      let total = 0;
      for (const step of steps) {
        assert.ok(Number.isInteger(step.minimumS) && step.minimumS > 0 && step.deadlineS > step.minimumS);
        total += step.minimumS;
      }
      assert.ok(total <= deadline / 2 + steps.length);
      assert.ok(steps.every(({ requirePass }, i) => requirePass === (i === steps.length - 1)));
    }),
  );
});

test('the promise holds: a version that fails altogether is found at the first step within its share', () => {
  for (const ratePerS of [20, 100, 1000]) {
    const of = spec();
    const first = budgetedSteps(of, { ratePerS, errorRate: 0.002 })[0];
    assert.ok(first && of.analysis);
    const share = (percent: number, among: number) => (ratePerS * percent) / 100 / among;
    const loads: Record<string, Load> = {
      stable: { rps: share(100 - 2 * first.weight, 4), errors: 0.002 },
      baseline: { rps: share(first.weight, 2), errors: 0.002 },
      canary: { rps: share(first.weight, 2), errors: 1 },
    };
    const traffic = new Traffic();
    for (const id of ['s1', 's2', 's3', 's4']) traffic.add(id, 'stable');
    traffic.run(120, { stable: { rps: ratePerS / 4, errors: 0.002 } });
    for (const [id, group] of Object.entries({
      b1: 'baseline',
      b2: 'baseline',
      c1: 'canary',
      c2: 'canary',
    } as const))
      traffic.add(id, group);
    let { state } = analyze(of.analysis, null, traffic.snapshot(), traffic.atMs);
    traffic.canaryWeight = first.weight;
    let verdict = '';
    let seconds = 0;
    for (; verdict !== 'fail' && seconds < 600; seconds++)
      ({ state, verdict } = analyze(of.analysis, state, traffic.run(1, loads).snapshot(), traffic.atMs));
    // Ten seconds more until it is at 0 %.
    const met = (seconds + 10) * 2 * (loads.canary?.rps ?? 0);
    const allowed = 0.002 * 0.001 * ratePerS * 30 * 86_400;
    assert.ok(met <= allowed, `${met} of ${allowed} at ${ratePerS}/s, step ${first.weight} %`);
    assert.ok(seconds <= first.minimumS, `found after ${seconds} s, the step lasts ${first.minimumS} s`);
  }
});
