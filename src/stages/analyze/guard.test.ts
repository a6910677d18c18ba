import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnalysisSpec } from '../../kernel/rollout.ts';
import { type Analysis, type AnalysisState, analyze } from './plan.ts';
import { ERRORS_ONLY, type Load, Traffic } from './traffic.testing.ts';

const HEALTHY: Load = { rps: 50, errors: 0.002 };
const GUARDED: AnalysisSpec = { ...ERRORS_ONLY, guard: true };

/** Looks once a second; the canary's load at each second. */
function rollout(spec: AnalysisSpec, seconds: number, canaryAt: (second: number) => Load): Analysis[] {
  const traffic = new Traffic().add('s1', 'stable').add('s2', 'stable').add('s3', 'stable');
  traffic.run(120, { stable: HEALTHY }).add('b1', 'baseline').add('c1', 'canary');
  let { state } = analyze(spec, null, traffic.snapshot(), traffic.atMs);
  traffic.canaryWeight = 20;
  return Array.from({ length: seconds }, (_, second) => {
    traffic.run(1, { stable: HEALTHY, baseline: HEALTHY, canary: canaryAt(second) });
    const now = analyze(spec, state, traffic.snapshot(), traffic.atMs);
    state = JSON.parse(JSON.stringify(now.state)) as AnalysisState;
    return now;
  });
}

const failedAfter = (looks: readonly Analysis[]) => looks.findIndex(({ verdict }) => verdict === 'fail');

test('a fail is held back, in words, until it outlives any three minutes', () => {
  const looks = rollout(GUARDED, 600, () => ({ rps: 50, errors: 0.02 }));
  const unguarded = failedAfter(rollout(ERRORS_ONLY, 600, () => ({ rps: 50, errors: 0.02 })));
  const failed = failedAfter(looks);
  assert.ok(unguarded > 0 && unguarded < 120, `${unguarded}`);
  assert.ok(failed > 180, `${failed}`);
  const held = looks.filter(({ reason }) => reason.startsWith('held by the transient guard: errors: canary'));
  assert.ok(held.length > 60, `${held.length}`);
  for (const { verdict, evidence } of held) {
    assert.equal(verdict, 'inconclusive', 'so that a step that requires a pass holds its weight');
    assert.equal(evidence?.metrics[0]?.guarded, 'transient');
    assert.equal(evidence?.metrics[0]?.remaining, null);
  }
  assert.equal(looks[failed]?.evidence?.metrics[0]?.guarded, undefined);
});

test('a disturbance of two minutes rolls nothing back, which without the guard it does', () => {
  const disturbed = (second: number): Load =>
    second >= 60 && second < 180 ? { rps: 50, errors: 0.01 } : HEALTHY;
  assert.ok(failedAfter(rollout(ERRORS_ONLY, 600, disturbed)) > 60);
  assert.equal(failedAfter(rollout(GUARDED, 600, disturbed)), -1);
});

test('a disaster is not waited for', () => {
  const failed = failedAfter(rollout(GUARDED, 60, () => ({ rps: 50, errors: 0.5 })));
  assert.ok(failed >= 0 && failed < 30, `${failed}`);
});
