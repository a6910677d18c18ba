import type { BackendCounters, RouterStats } from '../../kernel/dataplane.ts';
import type { Lane } from '../../kernel/ids.ts';
import { BUCKETS, pack, unpack } from './histogram.ts';
import type { LaneHistory, PackedCounts } from './state.ts';
import { MINUTE_MS } from './windows.ts';

/**
 * The last half hour of each lane's stable instances, minute by minute, in memory: an analysis that knows how clumped and
 * how uneven the old version's errors are decides in half the time. Losing it costs speed, never soundness.
 */

const MAX_MINUTES = 30;
/** Instances of a lane that are recorded; enough to see how they differ. */
const MAX_INSTANCES = 32;

interface Minute {
  requests: number;
  errors: number;
  latency: PackedCounts;
}

interface Recorded {
  digest: string;
  last: BackendCounters;
  /** Counters at the start of the minute under way. */
  base: BackendCounters;
  minutes: Minute[];
}

interface LaneRecord {
  bootId: string;
  startedAtMs: number;
  length: number;
  instances: Map<string, Recorded>;
}

export interface HistoryRecorder {
  /** Takes one snapshot of all lanes; lanes and instances that are gone are forgotten. */
  observe(stats: RouterStats): void;
  /** Whole minutes of the lane's stable instances; null when there is none yet. */
  of(lane: Lane): LaneHistory | null;
}

const NOTHING: Minute = { requests: 0, errors: 0, latency: [0] };

export function historyRecorder(): HistoryRecorder {
  let lanes = new Map<Lane, LaneRecord>();
  return {
    observe(stats) {
      const kept = new Map<Lane, LaneRecord>();
      for (const { lane, backends } of stats.lanes) {
        const known = lanes.get(lane);
        const record =
          known?.bootId === stats.bootId
            ? known
            : {
                bootId: stats.bootId,
                startedAtMs: stats.atMs,
                length: 0,
                instances: new Map<string, Recorded>(),
              };
        observeLane(record, backends, stats.atMs);
        kept.set(lane, record);
      }
      lanes = kept;
    },
    of(lane) {
      const record = lanes.get(lane);
      if (record === undefined || record.length === 0) return null;
      const instances = [...record.instances].map(([id, { minutes }]) => {
        const padded = [...new Array<Minute>(record.length - minutes.length).fill(NOTHING), ...minutes];
        return {
          id,
          requests: padded.map(({ requests }) => requests),
          errors: padded.map(({ errors }) => errors),
          latency: padded.map(({ latency }) => unpack(latency)),
        };
      });
      return { minutes: record.length, instances };
    },
  };
}

function observeLane(record: LaneRecord, backends: readonly BackendCounters[], atMs: number): void {
  const stable = backends.filter(({ group, latency }) => group === 'stable' && latency.length === BUCKETS);
  const listed = new Set(stable.map(({ id }) => id));
  for (const [id, { digest }] of record.instances) {
    const same = stable.some((backend) => backend.id === id && backend.digest === digest);
    if (!listed.has(id) || !same) record.instances.delete(id);
  }
  for (const backend of stable) {
    const known = record.instances.get(backend.id);
    if (known) {
      if (wentDown(known.last, backend)) known.base = zero(backend);
      known.last = backend;
    } else if (record.instances.size < MAX_INSTANCES) {
      record.instances.set(backend.id, { digest: backend.digest, last: backend, base: backend, minutes: [] });
    }
  }
  if (atMs - record.startedAtMs < MINUTE_MS) return;
  record.startedAtMs = atMs;
  record.length = Math.min(MAX_MINUTES, record.length + 1);
  for (const one of record.instances.values()) {
    one.minutes.push(difference(one.base, one.last));
    if (one.minutes.length > record.length) one.minutes.shift();
    one.base = one.last;
  }
}

function wentDown(before: BackendCounters, now: BackendCounters): boolean {
  return (
    now.requests < before.requests ||
    now.errors < before.errors ||
    now.latency.some((count, i) => count < (before.latency[i] as number))
  );
}

function zero(backend: BackendCounters): BackendCounters {
  return { ...backend, requests: 0, errors: 0, latency: new Array<number>(BUCKETS).fill(0) };
}

function difference(from: BackendCounters, to: BackendCounters): Minute {
  const requests = to.requests - from.requests;
  const latency = to.latency.map((count, i) => count - (from.latency[i] as number));
  return { requests, errors: Math.min(requests, to.errors - from.errors), latency: pack(latency) };
}
