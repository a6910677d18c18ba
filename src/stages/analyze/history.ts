import { type InstanceIncrement, type Snapshot, sumIncrements } from './counters.ts';
import { above, emptyCounts, nearestEdge, pack, total, unpack } from './histogram.ts';
import type {
  AnalysisState,
  HistorySeries,
  LaneHistory,
  MetricConfig,
  MetricState,
  WindowSeries,
} from './state.ts';
import { learnDispersion } from './windows.ts';

/** What was known of the control before it is compared with: the latency edges, its rates, its minutes. */

/** Control requests after which a quantile's edge is fixed: enough that ten or so lie above it. */
const REQUESTS_TO_FREEZE = { 0.5: 200, 0.95: 200, 0.99: 1000 } as const;

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

/** The lane before the first look. Better history than the bare counters, so it replaces them. */
export function learnFromHistory(
  configs: readonly MetricConfig[],
  state: AnalysisState,
  history: LaneHistory,
): void {
  configs.forEach((config, i) => {
    const metric = state.metrics[i] as MetricState;
    if (config.quantile !== null && metric.edge === null) return;
    fill(metric.minutes, history.minutes, metric.edge);
    if (metric.tens) fill(metric.tens, history.tens, metric.edge);
    metric.dispersion = learnDispersion(metric.minutes, metric.tens, config.sigma0);
  });
  const { requests, errors } = ownTraffic(history);
  setErrorRate(state, requests, errors);
}

/** The windows before those watched live. `edge` null: bad requests are errors, else the slow ones. */
function fill(series: WindowSeries, before: HistorySeries, edge: number | null): void {
  for (const { id, other, requests, errors, latency } of before.instances) {
    const n = edge === null ? [...requests] : latency.map(total);
    const e = edge === null ? [...errors] : latency.map((counts) => above(counts, edge));
    if (sum(n) > 0) series.instances[id] = { n, e, ...(other ? { other } : {}) };
  }
  series.length = before.windows;
}

/** Of the version that is compared with; where none of it was recorded, of the lane. */
function ownTraffic({ minutes, tens }: LaneHistory): { requests: number; errors: number } {
  const longest = minutes.windows > 0 ? minutes : tens;
  const own = longest.instances.filter(({ other }) => !other);
  const instances = own.length > 0 ? own : longest.instances;
  return {
    requests: sum(instances.map(({ requests }) => sum(requests))),
    errors: sum(instances.map(({ errors }) => sum(errors))),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
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
