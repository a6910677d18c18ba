import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnalysisSpec } from '../../kernel/rollout.ts';
import { type Analysis, type AnalysisState, analyze } from './plan.ts';
import { addStallLook, newStall } from './stall.ts';
import { type Load, SPEC, Traffic } from './traffic.testing.ts';

const HEALTHY: Load = { rps: 50, errors: 0, slow: 0.01 };
const LATENCY: AnalysisSpec = { ...SPEC, errors: null };

function rollout(seconds: number, canaryAt: (second: number) => Load, everyS = 1): Analysis[] {
  const traffic = new Traffic().add('s1', 'stable').add('s2', 'stable').add('s3', 'stable');
  traffic.run(120, { stable: HEALTHY }).add('b1', 'baseline').add('b2', 'baseline').add('c1', 'canary');
  let { state } = analyze(LATENCY, null, traffic.snapshot(), traffic.atMs);
  traffic.canaryWeight = 20;
  const looks: Analysis[] = [];
  for (let second = 0; second < seconds; second += everyS) {
    traffic.run(everyS, { stable: HEALTHY, baseline: HEALTHY, canary: canaryAt(second) });
    const now = analyze(LATENCY, state, traffic.snapshot(), traffic.atMs);
    state = JSON.parse(JSON.stringify(now.state)) as AnalysisState;
    looks.push(now);
  }
  return looks;
}

const failedAfter = (looks: readonly Analysis[]) => looks.findIndex(({ verdict }) => verdict === 'fail');

test('an instance that stalls for a few seconds rolls nothing back, and says that it was held', () => {
  const looks = rollout(240, (second) => (second >= 30 && second < 33 ? { ...HEALTHY, slow: 1 } : HEALTHY));
  assert.equal(failedAfter(looks), -1);
  const held = looks.find(({ reason }) => reason.startsWith('held by the stall guard: latency p99: canary'));
  assert.equal(held?.verdict, 'inconclusive');
  assert.equal(held?.evidence?.metrics[0]?.guarded, 'stall');
  assert.match(held?.reason ?? '', /but not yet with any six seconds left out$/);
});

test('a slow version goes on being slow, and is found', () => {
  const failed = failedAfter(rollout(60, () => ({ ...HEALTHY, slow: 0.3 })));
  assert.ok(failed > 5 && failed < 20, `${failed}`);
  const seldom = failedAfter(rollout(300, () => ({ ...HEALTHY, slow: 0.3 }), 30));
  assert.ok(seldom >= 1 && seldom < 4, `looks half a minute apart need two: ${seldom}`);
});

test('what is remembered is bounded, and sums to what was bet', () => {
  const stall = newStall();
  let total = 0;
  for (let i = 0; i < 2000; i++) {
    const bet = addStallLook(stall, 2, i * 1000, () => 1);
    total += bet(1, 0, 1, 0, 2) + bet(1, 0, 1, 0, 3);
  }
  assert.ok(stall.parts.length <= 300);
  assert.equal(
    stall.parts.reduce((sum, { factors }) => sum + factors.reduce((all, value) => all + value, 0), 0),
    total,
  );
});
