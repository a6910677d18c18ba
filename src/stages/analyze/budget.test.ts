import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AnalysisSpec, BudgetSpec } from '../../kernel/rollout.ts';
import { type Analysis, type AnalysisState, analyze } from './plan.ts';
import { ERRORS_ONLY, type Load, Traffic } from './traffic.testing.ts';

const HEALTHY: Load = { rps: 50, errors: 0.002 };
/** 200 requests a second: 17,280 bad ones a day are the budget, so a share of 0.1 % is 17.28. */
const BUDGET: BudgetSpec = {
  objective: 0.999,
  periodS: 86_400,
  share: 0.001,
  minimumBad: 5,
  ramp: null,
  ratePerS: 200,
};
/** Margins so wide that the comparison decides nothing: what fails here fails for its cost. */
const NOTHING_PROVEN = { weight: 1, failRho: 100, failDelta: 0.5, passRho: 1.5, passDelta: 5e-4 };

function spec(budget: Partial<BudgetSpec> = {}): AnalysisSpec {
  return { ...ERRORS_ONLY, errors: NOTHING_PROVEN, budget: { ...BUDGET, ...budget } };
}

interface Run {
  looks: Analysis[];
  traffic: Traffic;
}

function run(of: AnalysisSpec, seconds: number, loads: Record<string, Load>, history = HEALTHY): Run {
  const traffic = new Traffic().add('s1', 'stable').add('s2', 'stable').add('s3', 'stable');
  traffic.run(120, { stable: history }).add('c1', 'canary');
  let { state } = analyze(of, null, traffic.snapshot(), traffic.atMs);
  traffic.canaryWeight = 25;
  const looks: Analysis[] = [];
  for (let i = 0; i < seconds; i++) {
    const now = analyze(of, state, traffic.run(1, loads).snapshot(), traffic.atMs);
    state = JSON.parse(JSON.stringify(now.state)) as AnalysisState;
    looks.push(now);
  }
  return { looks, traffic };
}

const failedAt = ({ looks }: Run) => looks.findIndex(({ verdict }) => verdict === 'fail');

test('what costs more than its share is rolled back without proof, and says what it cost', () => {
  const bad = run(spec(), 60, { stable: HEALTHY, canary: { rps: 50, errors: 0.022 } });
  // 50 a second, 2 % more of them bad: one a second, so the 18th second is the one too many.
  assert.ok(Math.abs(failedAt(bad) - 17) <= 1, `${failedAt(bad)}`);
  const failed = bad.looks[failedAt(bad)];
  assert.match(
    failed?.reason ?? '',
    /^spent 0\.1\d? % of the error budget, 0\.1 % is allowed: 1\d failed requests more than the baseline's rate explains, of 9\d\d$/,
  );
  assert.ok((failed?.evidence?.budget?.spent ?? 0) > 0.001);
  assert.equal(failed?.evidence?.budget?.allowed, 0.001);
  assert.equal(bad.looks.at(-1)?.verdict, 'fail', 'it stands for the rest of the rollout');
  assert.equal(bad.looks.at(-1)?.reason, failed?.reason);
  const unlimited = run({ ...spec(), budget: null }, 60, {
    stable: HEALTHY,
    canary: { rps: 50, errors: 0.022 },
  });
  assert.equal(failedAt(unlimited), -1);
  assert.equal(unlimited.looks.at(-1)?.evidence?.budget, undefined);
});

test('requests to a cold instance are left out of the evidence, but they were paid for', () => {
  const cold = run({ ...spec(), warmupS: 3600 }, 60, { stable: HEALTHY, canary: { rps: 50, errors: 0.022 } });
  assert.ok(Math.abs(failedAt(cold) - 17) <= 1, `${failedAt(cold)}`);
});

test('a version like the old one spends nothing, however bad both are', () => {
  const sick: Load = { rps: 50, errors: 0.1 };
  const { looks } = run(spec(), 120, { stable: sick, canary: sick }, sick);
  assert.ok(looks.every(({ verdict }) => verdict !== 'fail'));
  assert.ok((looks.at(-1)?.evidence?.budget?.spent ?? 1) < 0.0005);
});

test('a handful of errors decides nothing, however small the lane', () => {
  const slow: Load = { rps: 2, errors: 0 };
  const tiny = { ratePerS: 0.001, share: 0.0001 };
  const four = run(spec(tiny), 4, { stable: slow, canary: { rps: 1, errors: 1 } }, slow);
  assert.equal(failedAt(four), -1);
  assert.ok(
    (four.looks.at(-1)?.evidence?.budget?.spent ?? 0) > 1,
    'though the budget is overspent many times',
  );
  const five = run(spec(tiny), 6, { stable: slow, canary: { rps: 1, errors: 1 } }, slow);
  assert.equal(failedAt(five), 4);
});

test('an unknown rate is the live one, and the period never has fewer requests than were seen', () => {
  const bad = { stable: HEALTHY, canary: { rps: 50, errors: 0.022 } };
  const live = run(spec({ ratePerS: null }), 60, bad);
  assert.ok(Math.abs(failedAt(live) - 17) <= 2, `${failedAt(live)}`);
  const { looks } = run(spec({ ratePerS: 1e-9, share: 0.5 }), 60, bad);
  const point = looks[40]?.evidence;
  // 41 s of 200 requests a second at an objective of 99.9 %: 8.2 bad ones are all of it.
  assert.ok(Math.abs((point?.budget?.spent ?? 0) - 41 / 8.2) < 0.8, `${point?.budget?.spent}`);
});

test('a state of an earlier release goes on, and counts from now', () => {
  const traffic = new Traffic().add('s1', 'stable').add('c1', 'canary').run(60, { stable: HEALTHY });
  const first = analyze(spec(), null, traffic.snapshot(), traffic.atMs).state;
  assert.ok(first);
  const { exposure: _, ...older } = first;
  traffic.canaryWeight = 25;
  const now = analyze(
    spec(),
    older,
    traffic.run(10, { stable: HEALTHY, canary: HEALTHY }).snapshot(),
    traffic.atMs,
  );
  assert.equal(now.state?.exposure?.nc, 500);
});

test('law: the cost is what metrics.md says, and the verdict is fail exactly when it is too much', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 40 }),
      fc.double({ min: 1e-5, max: 0.01, noNaN: true }),
      (canaryBad, stableBad, share) => {
        const traffic = new Traffic()
          .add('s1', 'stable')
          .add('c1', 'canary')
          .run(60, { stable: { rps: 10, errors: 0 } });
        const of = spec({ share });
        const { state } = analyze(of, null, traffic.snapshot(), traffic.atMs);
        traffic.canaryWeight = 50;
        traffic.run(1, {
          stable: { rps: 1000, errors: stableBad / 1000 },
          canary: { rps: 1000, errors: canaryBad / 1000 },
        });
        // One warm second of each arm: the canary's first is not warm, so only its cost is counted.
        const now = analyze(of, state, traffic.snapshot(), traffic.atMs);
        const base = stableBad / (1000 + 200);
        const excess = Math.max(0, canaryBad - 1000 * base);
        const spent = excess / (0.001 * 200 * 86_400);
        assert.ok(Math.abs((now.evidence?.budget?.spent ?? -1) - spent) <= 1e-4 * spent + 1e-12);
        assert.equal(now.verdict === 'fail', spent > share && excess >= 5);
      },
    ),
  );
});
