import type { AnalysisSpec } from '../../kernel/rollout.ts';
import type { EvidencePoint, Verdict } from '../../kernel/verdict.ts';
import { addExposure, costOf, noExposure } from './budget.ts';
import { burning, type LaneBurn } from './burn.ts';
import {
  type InstanceIncrement,
  type Snapshot,
  sumIncrements,
  takeIncrements,
  takeOrigin,
} from './counters.ts';
import { decide } from './decide.ts';
import { evidencePoint, metricEvidence } from './evidence.ts';
import { rollGuard } from './guard.ts';
import { above, total } from './histogram.ts';
import { freezeEdges, learnFromHistory, learnFromOrigin } from './history.ts';
import { lookMetric, metricConfigs, newMetric, startMetricSlot } from './metric.ts';
import type { AnalysisState, LaneHistory, MetricConfig, MetricState } from './state.ts';
import {
  addToWindow,
  enoughMinutes,
  learnDispersion,
  MINUTE_MS,
  rollWindow,
  TEN_SECONDS_MS,
} from './windows.ts';
import { seconds } from './words.ts';

export type { Snapshot } from './counters.ts';
export type { AnalysisState, LaneHistory } from './state.ts';

export interface AnalyzeOptions {
  /** What the control did before; read at the first look only. */
  history?: LaneHistory | null;
  /** How fast the whole lane burns its error budget; asked for only where the spec has one. */
  burn?: LaneBurn | null;
}

export interface Analysis {
  state: AnalysisState | null;
  verdict: Verdict;
  reason: string;
  /** null when this look brought nothing new. */
  evidence: EvidencePoint | null;
}

/**
 * One look: is the canary worse than the concurrent baseline by more than the margins of `spec`? Pure; may be asked at any
 * time, as often as wanted. `snapshot` is null when the data plane did not answer. A FAIL stands for the rest of the
 * rollout; a PASS is what the evidence says now. Missing, stale and one-sided data are no data, never zero, never a pass.
 */
export function analyze(
  spec: AnalysisSpec,
  before: AnalysisState | null,
  snapshot: Snapshot | null,
  nowMs: number,
  options: AnalyzeOptions = {},
): Analysis {
  const configs = metricConfigs(spec);
  if (!configs.some(({ gating }) => gating))
    return noData(before, 'the analysis names no metric that decides');
  if (snapshot === null) return noData(before, 'the data plane gave no counters');
  const ageMs = nowMs - snapshot.atMs;
  if (Math.abs(ageMs) > spec.staleS * 1000) return noData(before, ageWords(ageMs, spec.staleS));
  if (before === null || !fits(before, configs)) {
    const state = newState(spec, configs, snapshot, options);
    return noData(state, 'the first look only says where the counters stand');
  }
  if (snapshot.bootId === before.bootId && snapshot.atMs <= before.atMs) {
    const told = before.failed ? { verdict: 'fail' as const, reason: before.failed.reason } : before.last;
    return { state: before, ...told, evidence: null };
  }
  const state = structuredClone(before);
  return look(spec, configs, state, snapshot, options.burn ?? null);
}

/** A state of another release of Slipway, or of another spec, is not continued. */
function fits(state: AnalysisState, configs: readonly MetricConfig[]): boolean {
  return (
    state.version === 1 &&
    state.metrics.length === configs.length &&
    configs.every(({ metric }, i) => state.metrics[i]?.metric === metric)
  );
}

/** Without the age itself: a reason that changed every second would be a write every second. */
function ageWords(ageMs: number, staleS: number): string {
  return ageMs > 0
    ? `the newest counters are more than ${seconds(staleS)} old`
    : `the data plane's clock is more than ${seconds(staleS)} ahead`;
}

/** A fail is not forgotten because data went missing. */
function noData(state: AnalysisState | null, reason: string): Analysis {
  if (state?.failed) return { state, verdict: 'fail', reason: state.failed.reason, evidence: null };
  return { state, verdict: 'no-data', reason, evidence: null };
}

function newState(
  spec: AnalysisSpec,
  configs: readonly MetricConfig[],
  snapshot: Snapshot,
  options: AnalyzeOptions,
): AnalysisState {
  const state: AnalysisState = {
    version: 1,
    bootId: snapshot.bootId,
    atMs: snapshot.atMs,
    startedAtMs: snapshot.atMs,
    canaryWeight: snapshot.canaryWeight,
    canaryDigest: null,
    digestsDiffer: false,
    control: 'stable',
    slotAtMs: snapshot.atMs,
    instances: {},
    controlLatency: [0],
    metrics: configs.map((config) => newMetric(config, snapshot.atMs, spec.guard ?? false)),
    canaryRps: null,
    exposure: noExposure(),
    lastCanaryAtMs: null,
    lastControlAtMs: null,
    failed: null,
    last: { verdict: 'no-data', reason: '' },
  };
  takeOrigin(state, snapshot);
  learnFromOrigin(configs, state, snapshot);
  if (options.history) learnFromHistory(configs, state, options.history);
  return state;
}

function look(
  spec: AnalysisSpec,
  configs: readonly MetricConfig[],
  state: AnalysisState,
  snapshot: Snapshot,
  burn: LaneBurn | null,
): Analysis {
  const sinceMs = snapshot.bootId === state.bootId ? snapshot.atMs - state.atMs : null;
  const increments = takeIncrements(state, snapshot, spec.warmupS);
  state.exposure ??= noExposure();
  addExposure(state.exposure, increments);
  startSlots(configs, state, snapshot);
  chooseControl(state, increments);
  const canary = sumIncrements(increments, (one) => one.arm === 'canary' && one.warm);
  const control = sumIncrements(increments, (one) => one.warm && isControl(state, one));
  const hadEdge = state.metrics.map(({ edge }) => edge !== null);
  configs.forEach((config, i) => {
    const metric = state.metrics[i] as MetricState;
    if (config.quantile === null) {
      lookMetric(
        config,
        metric,
        { n: canary.requests, e: canary.errors },
        { n: control.requests, e: control.errors },
      );
    } else if (metric.edge !== null) {
      const edge = metric.edge;
      const arm = (latency: number[]) => ({ n: total(latency), e: above(latency, edge) });
      lookMetric(config, metric, arm(canary.latency), arm(control.latency), snapshot.atMs);
    }
    watchControl(config, metric, increments, snapshot.atMs);
  });
  freezeEdges(configs, state, increments, hadEdge);
  if (canary.requests > 0) state.lastCanaryAtMs = snapshot.atMs;
  if (control.requests > 0) state.lastControlAtMs = snapshot.atMs;
  trackRate(state, canary.requests, sinceMs);
  state.bootId = snapshot.bootId;
  state.atMs = snapshot.atMs;
  const metrics = configs.map((config, i) =>
    metricEvidence(config, state.metrics[i] as MetricState, state, instancesOf(state)),
  );
  const cost = costOf(spec, state);
  const alarm = burn !== null && spec.budget ? burning(spec.budget, burn, state.exposure) : null;
  const { verdict, reason } = decide(spec, configs, state, metrics, { cost, alarm });
  state.last = { verdict, reason };
  const drawn = snapshot.canaryWeight > 0 || state.lastCanaryAtMs !== null;
  const evidence = drawn
    ? evidencePoint({
        snapshot,
        verdict,
        metrics,
        cost,
        increments,
        sinceMs,
        isControl: (one) => isControl(state, one),
      })
    : null;
  return { state, verdict, reason, evidence };
}

/** Late onsets are detected by start times spread over the rollout: one a minute, and one at each weight step. */
function startSlots(configs: readonly MetricConfig[], state: AnalysisState, snapshot: Snapshot): void {
  const stepped = snapshot.canaryWeight !== state.canaryWeight;
  state.canaryWeight = snapshot.canaryWeight;
  const minutePassed = snapshot.atMs - state.slotAtMs >= MINUTE_MS;
  if (!stepped && !minutePassed) return;
  state.slotAtMs = snapshot.atMs;
  configs.forEach((config, i) => {
    const metric = state.metrics[i] as MetricState;
    startMetricSlot(config, metric);
    if (minutePassed && metric.guard) rollGuard(metric.guard);
  });
}

/** Baseline instances, started beside the canary, once they are warm; else the stable ones. */
function chooseControl(state: AnalysisState, increments: readonly InstanceIncrement[]): void {
  const baseline = increments.filter((one) => one.arm === 'control' && one.group === 'baseline');
  state.control = baseline.some((one) => state.instances[one.id]?.counted) ? 'baseline' : 'stable';
}

function isControl(state: AnalysisState, one: InstanceIncrement): boolean {
  return one.arm === 'control' && one.group === state.control;
}

/** All instances of the old version show how its instances and minutes differ, whichever of them is compared with. */
function watchControl(
  config: MetricConfig,
  metric: MetricState,
  increments: readonly InstanceIncrement[],
  atMs: number,
): void {
  if (config.quantile !== null && metric.edge === null) return;
  for (const one of increments) {
    if (one.arm !== 'control' || !one.warm) continue;
    const n = config.quantile === null ? one.requests : total(one.latency);
    const e = metric.edge === null ? one.errors : above(one.latency, metric.edge);
    if (n === 0) continue;
    addToWindow(metric.minutes, one.id, n, e);
    if (metric.tens) addToWindow(metric.tens, one.id, n, e);
  }
  const minute = rollWindow(metric.minutes, atMs, MINUTE_MS);
  const ten = metric.tens ? rollWindow(metric.tens, atMs, TEN_SECONDS_MS) : false;
  if (enoughMinutes(metric.minutes)) metric.tens = null;
  if (minute || ten) metric.dispersion = learnDispersion(metric.minutes, metric.tens, config.sigma0);
}

/** Requests a second of the canary, smoothed over about 20 s, for the time still needed. */
function trackRate(state: AnalysisState, requests: number, sinceMs: number | null): void {
  if (sinceMs === null || sinceMs <= 0) return;
  const rps = (requests * 1000) / sinceMs;
  const keep = Math.exp(-sinceMs / 20_000);
  state.canaryRps = state.canaryRps === null ? rps : keep * state.canaryRps + (1 - keep) * rps;
}

/** Instances with counted traffic that the last look listed. */
function instancesOf(state: AnalysisState): { canary: number; control: number } {
  const listed = Object.values(state.instances).filter(
    (seen) => seen.counted && seen.seenAtMs === state.atMs,
  );
  return {
    canary: Math.max(1, listed.filter((seen) => seen.group === 'canary').length),
    control: Math.max(1, listed.filter((seen) => seen.group === state.control).length),
  };
}
