import type { Group } from '../../kernel/dataplane.ts';
import type { MetricEvidence, Verdict } from '../../kernel/verdict.ts';
import type { EProcessOptions, EProcessState } from './eprocess.ts';

/** What an analysis remembers between looks: plain JSON, bounded, enough to continue exactly after a crash. */

export type MetricName = MetricEvidence['metric'];

/** The arm an instance's requests count for. */
export type Arm = 'canary' | 'control';

export interface Margin {
  alpha: number;
  rho: number;
  delta: number;
}

export interface MetricConfig {
  metric: MetricName;
  /** null for errors. */
  quantile: number | null;
  /** Decides the verdict; else it is only drawn. */
  gating: boolean;
  fail: Margin;
  pass: Margin;
  failProcess: EProcessOptions;
  passProcess: EProcessOptions;
  /** Prior spread between instances of the log rate. */
  sigma0: number;
}

/** Requests and bad ones of an arm in one look, and the instances they came from. */
export interface ArmLook {
  n: number;
  e: number;
}

/** Last seen counters of one instance. */
export interface SeenInstance {
  group: Group;
  digest: string;
  requests: number;
  errors: number;
  latency: PackedCounts;
  /** First look with traffic, router clock; null while there was none. 0: warm before the analysis began. */
  trafficSinceMs: number | null;
  /** Last look that listed it. */
  seenAtMs: number;
  /** Some of its requests were counted. */
  counted: boolean;
}

/** Bucket counts without the empty ends: index of the first, then the counts. */
export type PackedCounts = readonly number[];

/** Requests and bad ones of one instance, window by window. */
export interface InstanceSeries {
  n: number[];
  e: number[];
  /** It ran other bytes than the control: it shows how requests clump in this lane, not how the control's instances differ. */
  other?: true;
}

/** Requests and bad requests of the control's instances, window by window. */
export interface WindowSeries {
  /** All instances have the same number of complete windows. */
  instances: Record<string, InstanceSeries>;
  /** The window under way; `looks`: those in which the instance had traffic, absent in states of earlier releases. */
  current: Record<string, [n: number, e: number, looks?: number]>;
  startedAtMs: number;
  /** Complete windows; kept apart because there may be no instance yet. */
  length: number;
}

export interface Dispersion {
  /** Window dispersion, for the latency bets and the thresholds. */
  phi: number;
  /** Clump size, for the error bets. */
  g: number;
  /** Variance of the log rate between instances. */
  sigma2: number;
  /** Control instances it was learned from. */
  instances: number;
}

export interface MetricState {
  metric: MetricName;
  /** Index into LATENCY_EDGES_S, frozen for the rollout; null before that, and for errors. */
  edge: number | null;
  /** Rate of bad requests in the history before the first look; null without history. */
  historyRate: number | null;
  totals: { nc: number; ec: number; nb: number; eb: number };
  fail: EProcessState;
  pass: EProcessState;
  dispersion: Dispersion;
  minutes: WindowSeries;
  /** Ten-second windows, used until there are minutes enough; null after that. */
  tens: WindowSeries | null;
  /** t quantiles of the thresholds at `df`. */
  quantiles: { df: number; fail: number; pass: number };
  guard: GuardState | null;
  /** For latency; absent in states of earlier releases. */
  stall?: StallState;
}

/** Log factors of each psi of the FAIL process, in stretches of two seconds. */
export interface StallState {
  parts: { atMs: number; factors: number[] }[];
}

export interface GuardState {
  /** Log factors of each psi, minute by minute. */
  minutes: number[][];
  /** The same process at the margins of a disaster, which needs no guard. */
  bypass: EProcessState;
}

/** Requests and bad ones of canary (nc, ec) and old version (nb, eb), and all requests of the lane. */
export interface Exposure {
  nc: number;
  ec: number;
  nb: number;
  eb: number;
  lane: number;
}

export interface AnalysisState {
  version: 1;
  bootId: string;
  /** Router clock at the last look. */
  atMs: number;
  startedAtMs: number;
  canaryWeight: number;
  canaryDigest: string | null;
  /** True when canary and control run different bytes, so that the digest tells the arms apart. */
  digestsDiffer: boolean;
  control: 'baseline' | 'stable';
  slotAtMs: number;
  instances: Record<string, SeenInstance>;
  /** Control latency until all edges are frozen. */
  controlLatency: PackedCounts;
  metrics: MetricState[];
  canaryRps: number | null;
  /** What users met so far; absent in states of earlier releases. */
  exposure?: Exposure;
  /** Last look with counted traffic in the arm. */
  lastCanaryAtMs: number | null;
  lastControlAtMs: number | null;
  /** A fail stands for the rest of the rollout. */
  failed: { atMs: number; reason: string } | null;
  last: { verdict: Verdict; reason: string };
}

/** The lane's instances in windows of equal length before the analysis began, oldest first. */
export interface HistorySeries {
  windows: number;
  instances: readonly {
    id: string;
    /** It ran other bytes than the control's. */
    other: boolean;
    requests: readonly number[];
    errors: readonly number[];
    /** Bucket counts of each window. */
    latency: readonly (readonly number[])[];
  }[];
}

export interface LaneHistory {
  minutes: HistorySeries;
  /** The last minutes once more, in windows of ten seconds. */
  tens: HistorySeries;
}
