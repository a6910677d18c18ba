import { type InstanceIncrement, type Snapshot, sumIncrements } from './counters.ts';
import { above, emptyCounts, nearestEdge, pack, total, unpack } from './histogram.ts';
import type { AnalysisState, LaneHistory, MetricConfig, MetricState } from './state.ts';
import { learnDispersion } from './windows.ts';

/** What was known of the control before it is compared with: the latency edges, its rates, its minutes. */

/** Control requests after which a quantile's edge is fixed: enough that ten or so lie above it. */
const REQUESTS_TO_FREEZE = { 0.5: 200, 0.95: 200, 0.99: 1000 } as const;
/** Minutes of history that enter: those before a rollout say more of it than those of yesterday. */
const MAX_HISTORY_MINUTES = 30;

/** The stable instances' counters at the first look are history: they were served before the canary had traffic. */
export function learnFromOrigin(
  configs: readonly MetricConfig[],
  state: AnalysisState,
  snapshot: Snapshot,
): void {
  const latency = emptyCounts();
  let requests = 0;
  let errors = 0;
  for (const backend of snapshot.backends) {
    if (backend.group !== 'stable' || !Object.hasOwn(state.instances, backend.id)) continue;
    requests += backend.requests;
    errors += backend.errors;
    backend.latency.forEach((count, i) => {
      latency[i]! += count;
    });
  }
  state.controlLatency = pack(latency);
  freeze(configs, state, latency);
  setErrorRate(state, requests, errors);
}

/** Minutes of the control's instances before the first look. Better history than the bare counters, so it replaces them. */
export function learnFromHistory(
  configs: readonly MetricConfig[],
  state: AnalysisState,
  history: LaneHistory,
): void {
  const minutes = Math.min(history.minutes, MAX_HISTORY_MINUTES);
  if (minutes < 1) return;
  const instances = history.instances.map(({ id, requests, errors, latency }) => ({
    id,
    requests: requests.slice(-minutes),
    errors: errors.slice(-minutes),
    latency: latency.slice(-minutes),
  }));
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  configs.forEach((config, i) => {
    const metric = state.metrics[i] as MetricState;
    if (config.quantile !== null && metric.edge === null) return;
    for (const one of instances) {
      const n = config.quantile === null ? one.requests : one.latency.map(total);
      const e =
        metric.edge === null ? one.errors : one.latency.map((counts) => above(counts, metric.edge as number));
      if (n.length === minutes && sum(n) > 0) metric.minutes.instances[one.id] = { n: [...n], e: [...e] };
    }
    metric.minutes.length = minutes;
    metric.dispersion = learnDispersion(metric.minutes, metric.tens, config.sigma0);
  });
  setErrorRate(
    state,
    sum(instances.map(({ requests }) => sum(requests))),
    sum(instances.map(({ errors }) => sum(errors))),
  );
}

function setErrorRate(state: AnalysisState, requests: number, errors: number): void {
  const metric = state.metrics.find((one) => one.metric === 'errors');
  if (metric && requests > 0) metric.historyRate = errors / requests;
}

/** Without enough history the edges come from live control traffic; evidence begins with the look after. */
export function freezeEdges(
  configs: readonly MetricConfig[],
  state: AnalysisState,
  increments: readonly InstanceIncrement[],
  hadEdge: readonly boolean[],
): void {
  if (configs.every((config, i) => config.quantile === null || hadEdge[i])) return;
  const latency = unpack(state.controlLatency);
  const now = sumIncrements(increments, (one) => one.arm === 'control' && one.warm).latency;
  for (let i = 0; i < latency.length; i++) latency[i]! += now[i] as number;
  state.controlLatency = pack(latency);
  freeze(configs, state, latency);
}

function freeze(configs: readonly MetricConfig[], state: AnalysisState, latency: readonly number[]): void {
  const n = total(latency);
  configs.forEach((config, i) => {
    const metric = state.metrics[i] as MetricState;
    if (config.quantile === null || metric.edge !== null) return;
    if (n < REQUESTS_TO_FREEZE[config.quantile as keyof typeof REQUESTS_TO_FREEZE]) return;
    metric.edge = nearestEdge(latency, config.quantile);
    metric.historyRate = metric.edge === null ? null : above(latency, metric.edge) / n;
    metric.minutes.startedAtMs = state.atMs;
    if (metric.tens) metric.tens.startedAtMs = state.atMs;
  });
}

/** Control requests counted so far. */
export function controlRequests(state: AnalysisState): number {
  return Math.max(0, ...state.metrics.map(({ totals }) => totals.nb));
}
