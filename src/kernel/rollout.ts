import type { LaneRoute, RouteMatch, Weights } from './dataplane.ts';
import type { Digest } from './digest.ts';
import type { Lane } from './ids.ts';

/** How a new version takes over. `canary`, `blue-green`, `rolling` and `all-at-once` are shapes of one step list. */
export type StrategyKind = 'canary' | 'blue-green' | 'rolling' | 'shadow' | 'all-at-once';

/** One step of the ramp: hold at `weight` until `minimumS` has passed and, where asked, the evidence says pass. */
export interface RolloutStep {
  /** Percent of the lane's traffic for the new version, 0 to 100. */
  weight: number;
  minimumS: number;
  /** Wait here for the analysis to pass; else only a fail stops the step. */
  requirePass: boolean;
  /** Wait here until a person resumes. */
  manual: boolean;
  /** A step without a decision by then is handled by `onInconclusive`. */
  deadlineS: number;
}

export interface RolloutSpec {
  strategy: StrategyKind;
  steps: readonly RolloutStep[];
  /** Instances the lane has when nothing moves. */
  instances: number;
  canaryInstances: number;
  /** Instances of the old version started beside the canary; 0 compares with the stable ones. */
  baselineInstances: number;
  /** Whole-rollout deadline. */
  progressDeadlineS: number;
  /** How long a lane may take to reach ready capacity. */
  readyDeadlineS: number;
  /** Connections get this long to finish after a weight change to 0. */
  drainS: number;
  onInconclusive: 'rollback' | 'pause';
  analysis: AnalysisSpec | null;
  /** Absent in rollouts of earlier releases, which routed by weight alone. */
  routing?: RoutingSpec;
}

/** Who meets the new version whatever its weight, and whether visitors keep the version they met first. */
export interface RoutingSpec {
  match: readonly RouteMatch[];
  sticky: LaneRoute['sticky'];
}

export const ROUTED_BY_WEIGHT: RoutingSpec = { match: [], sticky: null };

/**
 * The matches the router may carry in a phase: only while the new version has the capacity it needs and nobody has decided
 * against it. A request that matches is exposure like any other, also at a step of 0 %.
 */
export function matchesIn(phase: RolloutPhase, routing: RoutingSpec | undefined): readonly RouteMatch[] {
  return phase === 'stepping' || phase === 'promoting' ? (routing?.match ?? []) : [];
}

/** What the analysis compares, and how much worse is tolerated. Definitions: analysis.md, sections A to F. */
export interface AnalysisSpec {
  alpha: number;
  errors: { weight: number; failRho: number; failDelta: number; passRho: number; passDelta: number } | null;
  latency: readonly {
    quantile: 0.5 | 0.95 | 0.99;
    weight: number;
    failRho: number;
    passRho: number;
    passDelta: number;
  }[];
  /** Seconds of traffic to a fresh instance that are left out (cold caches, JIT). */
  warmupS: number;
  /** A look with counters older than this is no data. */
  staleS: number;
  /** The transient guard (section G): a fail must also hold with any three minutes left out. Absent: off. */
  guard?: boolean;
  /** Absent or null: nothing is rolled back for what it costs alone. */
  budget?: BudgetSpec | null;
}

/**
 * What one rollout may cost: a share of the error budget of a service level objective. The cost is that of metrics.md,
 * item 9: max(0, bad_new - n_new * e_base) / ((1 - objective) * N_period).
 */
export interface BudgetSpec {
  /** Share of all requests that must succeed, such as 0.999; below 1. */
  objective: number;
  periodS: number;
  /** Share of the period's error budget, such as 0.01. */
  share: number;
  /** Bad requests beyond those the baseline's rate explains, below which cost alone decides nothing. */
  minimumBad: number;
  /**
   * The steps follow from the lane's traffic, for a version of which `harm` (a share) of the requests fail; null: they are as
   * the strategy says.
   */
  ramp: { harm: number } | null;
  /** Requests a second of the lane before the rollout; null: not known, so the live rate counts. */
  ratePerS: number | null;
}

/**
 * preparing: capacity for the first step is starting, no traffic yet. stepping: at step `stepIndex`. promoting: the new
 * version is scaled to the full size and takes all traffic. finishing: old instances drain and stop. rolling-back: traffic
 * returns to the old version, then the new instances drain and stop. The rest are terminal.
 */
export type RolloutPhase =
  | 'preparing'
  | 'stepping'
  | 'promoting'
  | 'finishing'
  | 'rolling-back'
  | 'succeeded'
  | 'rolled-back'
  | 'aborted'
  | 'failed'
  | 'cancelled'
  | 'superseded';

export const TERMINAL_PHASES = [
  'succeeded',
  'rolled-back',
  'aborted',
  'failed',
  'cancelled',
  'superseded',
] as const;

export function isTerminal(phase: RolloutPhase): boolean {
  return (TERMINAL_PHASES as readonly string[]).includes(phase);
}

export type RolloutKind = 'planned' | 'hotfix' | 'rollback';

/** What a person or a policy asked for while it runs. */
export type RolloutRequest = {
  kind: 'pause' | 'resume' | 'abort';
  actor: string;
  reason: string;
  atMs: number;
};

export interface RolloutState {
  phase: RolloutPhase;
  stepIndex: number;
  /** When the weight of the current step was seen at the data plane; null until then. */
  stepSettledAtMs: number | null;
  phaseEnteredAtMs: number;
  /** What the router should carry now. */
  weights: Weights;
  paused: { atMs: number; by: string; reason: string } | null;
  /** The manual step a person has let pass; -1 for none. */
  resumedStep: number;
  /** Why the rollout turned back, once it does; the terminal phase follows from `terminal`. */
  turnedBack: {
    atMs: number;
    reason: string;
    by: string;
    terminal: 'rolled-back' | 'aborted' | 'failed';
  } | null;
  /** First instant with more than 0 % of traffic. */
  exposedAtMs: number | null;
  /** When the new version was seen at 0 % after a decision against it. */
  zeroTrafficAtMs: number | null;
  drainUntilMs: number | null;
}

/** The identity of a rollout; never changes. */
export interface Rollout {
  id: string;
  lane: Lane;
  kind: RolloutKind;
  digest: Digest;
  /** null for the first version in a lane. */
  previousDigest: Digest | null;
  spec: RolloutSpec;
  createdAtMs: number;
}
