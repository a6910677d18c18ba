import type { AnalysisSpec } from '../../kernel/rollout.ts';
import type { MetricEvidence, Verdict } from '../../kernel/verdict.ts';
import { type Cost, overspentReason } from './budget.ts';
import type { Burning } from './burn.ts';
import { controlRequests } from './history.ts';
import type { AnalysisState, MetricConfig } from './state.ts';
import { failReason, guardedReason, inconclusiveReason, passReason, seconds } from './words.ts';

/** An arm that has been silent this long is no data, however seldom its requests come. */
const QUIET_MS = 60_000;

export function decide(
  spec: AnalysisSpec,
  configs: readonly MetricConfig[],
  state: AnalysisState,
  metrics: readonly MetricEvidence[],
  { cost, alarm }: { cost: Cost | null; alarm: Burning | null },
): { verdict: Verdict; reason: string } {
  if (state.failed) return { verdict: 'fail', reason: state.failed.reason };
  const gating = metrics.filter((_, i) => configs[i]?.gating);
  const failed = gating.find(({ verdict }) => verdict === 'fail');
  if (failed) {
    state.failed = { atMs: state.atMs, reason: failReason(failed) };
    return { verdict: 'fail', reason: state.failed.reason };
  }
  if (cost?.overspent) {
    state.failed = { atMs: state.atMs, reason: overspentReason(cost, state) };
    return { verdict: 'fail', reason: state.failed.reason };
  }
  if (alarm?.caused) {
    state.failed = { atMs: state.atMs, reason: alarm.reason };
    return { verdict: 'fail', reason: state.failed.reason };
  }
  const missing = missingData(spec, state);
  if (missing !== null) return { verdict: 'no-data', reason: missing };
  if (alarm) return { verdict: 'inconclusive', reason: alarm.reason };
  if (gating.every(({ verdict }) => verdict === 'pass'))
    return { verdict: 'pass', reason: passReason(gating) };
  const open = gating.filter(({ verdict }) => verdict !== 'pass');
  const guarded = open.find((one) => one.guarded);
  if (guarded) return { verdict: 'inconclusive', reason: guardedReason(guarded) };
  const unheard = open.find(({ verdict }) => verdict === 'no-data');
  const reason = unheard
    ? `${unheard.metric}: the baseline has not had enough requests to fix the latency it is judged by`
    : inconclusiveReason(open);
  return { verdict: 'inconclusive', reason };
}

/** Why there is nothing to compare; null when there is. */
function missingData(spec: AnalysisSpec, state: AnalysisState): string | null {
  const { atMs, lastCanaryAtMs, lastControlAtMs } = state;
  const listed = Object.values(state.instances).filter((seen) => seen.seenAtMs === atMs);
  const controls = controlRequests(state);
  if (lastCanaryAtMs === null) {
    const traffic = listed.some((seen) => seen.group === 'canary' && seen.trafficSinceMs !== null);
    return traffic
      ? `the canary is warming up (its first ${spec.warmupS} s are left out)`
      : 'the canary has had no traffic';
  }
  if (lastControlAtMs === null || controls === 0) return 'the baseline has had no traffic to compare with';
  const quiet = (lastMs: number) => atMs - lastMs > Math.max(spec.staleS * 1000, QUIET_MS);
  if (atMs - lastControlAtMs > spec.staleS * 1000 && lastCanaryAtMs > lastControlAtMs) {
    return `the baseline has had no traffic for ${seconds((atMs - lastControlAtMs) / 1000)} while the canary has`;
  }
  if (quiet(lastCanaryAtMs))
    return `the canary has had no traffic for ${seconds((atMs - lastCanaryAtMs) / 1000)}`;
  if (quiet(lastControlAtMs))
    return `the baseline has had no traffic for ${seconds((atMs - lastControlAtMs) / 1000)}`;
  return null;
}
