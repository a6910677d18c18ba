import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnalysisSpec, BudgetSpec } from '../../kernel/rollout.ts';
import { burning, type LaneBurn } from './burn.ts';
import { type Analysis, analyze } from './plan.ts';
import { historyRecorder } from './recorder.ts';
import { ERRORS_ONLY, type Load, Traffic } from './traffic.testing.ts';

const BUDGET: BudgetSpec = {
  objective: 0.999,
  periodS: 30 * 86_400,
  share: 1,
  minimumBad: 5,
  ramp: null,
  ratePerS: 1000,
};
/** Nothing is proven by comparison, and nothing is too expensive. */
const SPEC: AnalysisSpec = {
  ...ERRORS_ONLY,
  errors: { weight: 1, failRho: 100, failDelta: 0.5, passRho: 1.5, passDelta: 0.5 },
  budget: BUDGET,
};
const HEALTHY: Load = { rps: 50, errors: 0.0005 };
const LANE = 'shop/prod';

const lane = (long: number, short: number): LaneBurn => ({
  long: { requests: 36_000, errors: Math.round(36_000 * long) },
  short: { requests: 3_000, errors: Math.round(3_000 * short) },
});
const arms = (canary: number, baseline: number) => ({
  nc: 1000,
  ec: 1000 * canary,
  nb: 3000,
  eb: 3000 * baseline,
  lane: 4000,
});

test('it fires when both windows burn 14.4 times too fast, and not for one of them or a handful', () => {
  const sound = arms(0, 0);
  assert.equal(burning(BUDGET, lane(0.0143, 0.02), sound), null);
  assert.equal(burning(BUDGET, lane(0.02, 0.0143), sound), null, 'it is over');
  assert.ok(burning(BUDGET, lane(0.0145, 0.0145), sound));
  const handful = { long: { requests: 200, errors: 4 }, short: { requests: 120, errors: 4 } };
  assert.equal(burning(BUDGET, handful, sound), null);
  const few = { long: { requests: 200, errors: 50 }, short: { requests: 99, errors: 50 } };
  assert.equal(burning(BUDGET, few, sound), null);
  const week = { ...BUDGET, periodS: 7 * 86_400 };
  assert.equal(burning(week, lane(0.0033, 0.01), sound), null, 'for a week the pace is 3.36');
  assert.ok(burning(week, lane(0.0034, 0.01), sound));
});

test('the new version is to blame when it burns and the old one beside it does not', () => {
  const caused = burning(BUDGET, lane(0.03, 0.05), arms(0.2, 0.001));
  assert.equal(caused?.caused, true);
  assert.match(
    caused?.reason ?? '',
    /^the error budget burns 30 times as fast as it lasts: 3\.0 % of the lane's requests failed in 60 min, 5\.0 % in 5 min, and 1\.4 % pages; the new version failed 20\.0 % of 1,000, the old one 0\.1 % of 3,000$/,
  );
  for (const other of [
    arms(0.2, 0.2),
    arms(0, 0.1),
    { ...arms(0.2, 0), nb: 0 },
    { ...arms(1, 0), nc: 4, ec: 4 },
  ]) {
    const held = burning(BUDGET, lane(0.03, 0.05), other);
    assert.equal(held?.caused, false);
    assert.match(held?.reason ?? '', /^held: the error budget burns .* not by the new version alone/);
  }
});

/** An hour of a lane with that error rate, then a canary; looks for half a minute. */
function afterAnHour(stable: Load, canary: Load, minutes = 62): { looks: Analysis[]; burn: LaneBurn | null } {
  const recorder = historyRecorder();
  const traffic = new Traffic(1_800_000_000_000).add('s1', 'stable').add('s2', 'stable');
  const watch = (seconds: number, loads: Record<string, Load>) => {
    const { atMs, bootId, backends } = traffic.run(seconds, loads).snapshot();
    const weights = { stable: 100, baseline: 0, canary: 0 };
    recorder.observe({ atMs, bootId, lanes: [{ lane: LANE, fence: 1, weights, backends, unrouted: 0 }] });
  };
  for (let minute = 0; minute < minutes; minute++) watch(60, { stable });
  traffic.add('c1', 'canary');
  let { state } = analyze(SPEC, null, traffic.snapshot(), traffic.atMs);
  traffic.canaryWeight = 30;
  const looks: Analysis[] = [];
  for (let i = 0; i < 30; i++) {
    watch(1, { stable, canary });
    const now = analyze(SPEC, state, traffic.snapshot(), traffic.atMs, { burn: recorder.burn(LANE) });
    state = now.state;
    looks.push(now);
  }
  return { looks, burn: recorder.burn(LANE) };
}

test('a lane that burns holds the rollout; what burnt for less than an hour is not known to', () => {
  const burnt: Load = { rps: 50, errors: 0.03 };
  const { looks, burn } = afterAnHour(burnt, HEALTHY);
  assert.ok(burn && Math.abs(burn.long.errors / burn.long.requests - 0.03) < 0.002);
  const last = looks.at(-1);
  assert.equal(last?.verdict, 'inconclusive', last?.reason);
  assert.match(last?.reason ?? '', /^held: the error budget burns/);
  const young = afterAnHour(burnt, HEALTHY, 50);
  assert.equal(young.burn, null);
  assert.equal(young.looks.at(-1)?.verdict, 'pass', young.looks.at(-1)?.reason);
  const sound = afterAnHour(HEALTHY, HEALTHY);
  assert.equal(sound.looks.at(-1)?.verdict, 'pass', sound.looks.at(-1)?.reason);
});

test('the sums of an hour are those of all instances, and outlive the worker', () => {
  const first = historyRecorder();
  const traffic = new Traffic(1_800_000_000_000).add('s1', 'stable').add('s2', 'stable');
  const kept = [];
  const observe = (recorder: typeof first) => {
    const { atMs, bootId, backends } = traffic.snapshot();
    const weights = { stable: 100, baseline: 0, canary: 0 };
    recorder.observe({ atMs, bootId, lanes: [{ lane: LANE, fence: 1, weights, backends, unrouted: 0 }] });
  };
  for (let minute = 0; minute < 62; minute++) {
    traffic.run(60, { stable: { rps: 10, errors: 0.1 } });
    observe(first);
    kept.push(...first.takeEnded());
  }
  const second = historyRecorder();
  second.restore(kept);
  observe(second);
  assert.deepEqual(second.burn(LANE), first.burn(LANE));
  assert.equal(first.burn(LANE)?.long.requests, 60 * 60 * 20);
  assert.equal(first.burn(LANE)?.short.requests, 5 * 60 * 20);
  traffic.run(6, { stable: { rps: 10, errors: 1 } });
  observe(first);
  assert.equal(first.burn(LANE)?.short.requests, 5 * 60 * 20 + 120, 'the minute under way counts');
});

test('a canary that burns the lane alone fails, though nothing is proven and nothing overspent', () => {
  const traffic = new Traffic().add('s1', 'stable').run(120, { stable: HEALTHY }).add('c1', 'canary');
  let { state } = analyze(SPEC, null, traffic.snapshot(), traffic.atMs);
  traffic.canaryWeight = 30;
  traffic.run(10, { stable: HEALTHY, canary: { rps: 50, errors: 0.2 } });
  const calm = analyze(SPEC, state, traffic.snapshot(), traffic.atMs);
  assert.notEqual(calm.verdict, 'fail');
  const burnt = analyze(SPEC, state, traffic.snapshot(), traffic.atMs, { burn: lane(0.03, 0.05) });
  assert.equal(burnt.verdict, 'fail');
  assert.match(burnt.reason, /^the error budget burns 30 times/);
  state = burnt.state;
  traffic.run(10, { stable: HEALTHY, canary: HEALTHY });
  assert.equal(analyze(SPEC, state, traffic.snapshot(), traffic.atMs).verdict, 'fail', 'it stands');
});
