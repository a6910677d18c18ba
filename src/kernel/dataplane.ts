import type { Digest } from './digest.ts';
import type { Lane } from './ids.ts';

/**
 * What the control plane says to the data plane, and what it hears back. The router and the host agent are processes of
 * their own: they keep serving while the control plane restarts, and refuse any command whose fence is lower than one
 * they have seen for the lane.
 */

/** The role of an instance in a lane. `baseline` runs the old version, started beside the canary for a fair comparison. */
export type Group = 'stable' | 'baseline' | 'canary';
export const GROUPS = ['stable', 'baseline', 'canary'] as const satisfies readonly Group[];

/** Percent of the lane's traffic for each group; sums to 100. */
export type Weights = Readonly<Record<Group, number>>;

export interface RouteBackend {
  id: string;
  group: Group;
  digest: Digest;
  host: string;
  port: number;
  /** A draining backend gets no new request; those under way finish. */
  state: 'serving' | 'draining';
}

/** Requests that match go to `group` whatever the weights say; the first match wins. */
export interface RouteMatch {
  header?: { name: string; value: string };
  cookie?: { name: string; value: string };
  group: Group;
}

/** The whole routing of one lane; replaces what was there. */
export interface LaneRoute {
  lane: Lane;
  /** Higher than every fence used for the lane before. */
  fence: number;
  listen: { host: string; port: number };
  backends: readonly RouteBackend[];
  weights: Weights;
  match: readonly RouteMatch[];
  /** A visitor stays with the group first given, by this cookie. */
  sticky: { cookie: string; ttlS: number } | null;
  /** A copy of this percent of the requests goes to `group`; its answers are dropped, its figures counted apart. */
  mirror: { group: Group; percent: number } | null;
}

/** Upper edges of the latency buckets in seconds; a last bucket holds what is above. About 12 % apart from 0.5 ms to 60 s. */
export const LATENCY_EDGES_S: readonly number[] = Array.from({ length: 104 }, (_, i) =>
  Number((0.0005 * 1.12 ** i).toPrecision(4)),
);

/** Cumulative since the router process started (`bootId`); a request counts when its answer has ended. */
export interface BackendCounters {
  id: string;
  group: Group;
  digest: Digest;
  /** Answered or failed. */
  requests: number;
  /** Status 5xx, connection failures, timeouts, answers cut off by the backend. */
  errors: number;
  /** Whole-answer latency; `LATENCY_EDGES_S.length + 1` counts. */
  latency: readonly number[];
  latencySumS: number;
  inFlight: number;
  status: { '1xx': number; '2xx': number; '3xx': number; '4xx': number; '5xx': number };
}

export interface LaneCounters {
  lane: Lane;
  fence: number;
  weights: Weights;
  backends: readonly BackendCounters[];
  /** Requests the router itself could not hand to any backend (it answered 502, 503 or 504). */
  unrouted: number;
}

export interface RouterStats {
  bootId: string;
  /** Milliseconds since the epoch on the router's clock: one timestamp for all arms. */
  atMs: number;
  lanes: readonly LaneCounters[];
}

/** What an instance needs to run. Idempotent by `id`. */
export interface InstanceSpec {
  id: string;
  lane: Lane;
  fence: number;
  digest: Digest;
  /** Repository in the registry that holds `digest`. */
  repository: string;
  env: Readonly<Record<string, string>>;
  readiness: { path: string; periodMs: number; timeoutMs: number; failureThreshold: number };
  /** An instance that is not ready by then is `failed`. */
  startTimeoutMs: number;
  /** SIGTERM first; SIGKILL after this long. */
  stopGraceMs: number;
  resources: { memoryBytes: number | null; openFiles: number | null };
}

export type InstanceState = 'pulling' | 'starting' | 'ready' | 'unready' | 'stopping' | 'exited' | 'failed';

export interface InstanceStatus {
  id: string;
  lane: Lane;
  digest: Digest;
  state: InstanceState;
  host: string;
  port: number | null;
  pid: number | null;
  restarts: number;
  startedAtMs: number | null;
  readyAtMs: number | null;
  /** Why it is not ready, for people. */
  reason: string | null;
}
