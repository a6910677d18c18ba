import {
  type BackendCounters,
  GROUPS,
  type Group,
  type InstanceStatus,
  LATENCY_EDGES_S,
  type RouterStats,
} from '../../kernel/dataplane.ts';
import type { Lane } from '../../kernel/ids.ts';

/** Traffic of one group since the sample before; rates per second, latencies in seconds, null where nothing was measured. */
export interface GroupSample {
  rps: number;
  errorRate: number | null;
  p50S: number | null;
  p95S: number | null;
  p99S: number | null;
  digest: string | null;
}

/** What the home page and the charts need of a lane each second. */
export interface LaneSample {
  groups: Readonly<Partial<Record<Group, GroupSample>>>;
  weights: Readonly<Record<Group, number>> | null;
  instances: { ready: number; total: number };
  unrouted: number;
}

interface Totals {
  requests: number;
  errors: number;
  latency: number[];
  digest: string | null;
}

/** Samples of all lanes from two snapshots of the router's counters; pure. A router that restarted counts from zero. */
export function sampleLanes(
  before: RouterStats | null,
  now: RouterStats,
  instances: readonly InstanceStatus[],
): Map<Lane, LaneSample> {
  const previous = before !== null && before.bootId === now.bootId ? before : null;
  const seconds = previous === null ? null : (now.atMs - previous.atMs) / 1_000;
  const samples = new Map<Lane, LaneSample>();
  for (const lane of now.lanes) {
    const earlier = previous?.lanes.find((candidate) => candidate.lane === lane.lane);
    const groups: Partial<Record<Group, GroupSample>> = {};
    for (const group of GROUPS) {
      const totals = difference(ofGroup(lane.backends, group), earlier?.backends ?? []);
      if (totals.digest !== null && seconds !== null && seconds > 0)
        groups[group] = toSample(totals, seconds);
    }
    const mine = instances.filter((instance) => instance.lane === lane.lane);
    const ready = mine.filter((instance) => instance.state === 'ready').length;
    const unrouted = Math.max(0, lane.unrouted - (earlier?.unrouted ?? 0));
    samples.set(lane.lane, {
      groups,
      weights: lane.weights,
      instances: { ready, total: mine.length },
      unrouted,
    });
  }
  return samples;
}

function ofGroup(backends: readonly BackendCounters[], group: Group): BackendCounters[] {
  return backends.filter((backend) => backend.group === group);
}

function difference(backends: readonly BackendCounters[], earlier: readonly BackendCounters[]): Totals {
  const totals: Totals = {
    requests: 0,
    errors: 0,
    latency: new Array(LATENCY_EDGES_S.length + 1).fill(0),
    digest: null,
  };
  const old = new Map(earlier.map((backend) => [backend.id, backend]));
  for (const backend of backends) {
    const base = old.get(backend.id);
    const reset = base !== undefined && base.requests > backend.requests;
    totals.requests += backend.requests - (reset ? 0 : (base?.requests ?? 0));
    totals.errors += backend.errors - (reset ? 0 : (base?.errors ?? 0));
    for (const [i, count] of backend.latency.entries())
      totals.latency[i] = (totals.latency[i] ?? 0) + count - (reset ? 0 : (base?.latency[i] ?? 0));
    totals.digest = backend.digest;
  }
  return totals;
}

function toSample({ requests, errors, latency, digest }: Totals, seconds: number): GroupSample {
  return {
    rps: requests / seconds,
    errorRate: requests > 0 ? errors / requests : null,
    p50S: quantile(latency, 0.5),
    p95S: quantile(latency, 0.95),
    p99S: quantile(latency, 0.99),
    digest,
  };
}

/** The upper edge of the bucket that holds the quantile, in seconds; null without observations. */
export function quantile(latency: readonly number[], q: number): number | null {
  const total = latency.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let seen = 0;
  for (const [i, count] of latency.entries()) {
    seen += count;
    if (seen >= q * total) return LATENCY_EDGES_S[i] ?? LATENCY_EDGES_S.at(-1) ?? null;
  }
  return LATENCY_EDGES_S.at(-1) ?? null;
}
