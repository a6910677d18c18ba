import type { Group, RouteBackend, Weights } from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { Rollout, RolloutRequest, RolloutState } from '../../kernel/rollout.ts';
import type { Verdict } from '../../kernel/verdict.ts';
import type { Fleet, LaneObservation, Wanted } from './fleet.ts';

/** One thing to do at the target. Every action is idempotent and fenced. */
export type Action =
  | { kind: 'start-instance'; id: string; group: Group; digest: Digest }
  | { kind: 'stop-instance'; id: string }
  | {
      kind: 'route';
      weights: Weights;
      backends: readonly RouteBackend[];
      mirror: { group: Group; percent: number } | null;
    };

/** All a planner may know. `observation` is null when the data plane did not answer. */
export interface Situation {
  nowMs: number;
  observation: LaneObservation | null;
  analysis: { verdict: Verdict; reason: string; atMs: number } | null;
  request: RolloutRequest | null;
}

export interface Plan {
  next: RolloutState;
  actions: readonly Action[];
  /** Why it is as it is, for people; the first is the headline. */
  reasons: readonly string[];
  /** When to look again unless something wakes it earlier; null when there is nothing left to do. */
  wakeAtMs: number | null;
}

/** What a phase decides: the next state, how many instances of each role, why, and when to look again. */
export interface PhaseResult {
  state: RolloutState;
  wanted: Wanted;
  reasons: readonly string[];
  wakeAtMs: number;
}

export interface PhaseInput {
  rollout: Rollout;
  state: RolloutState;
  fleet: Fleet;
  observation: LaneObservation;
  analysis: Situation['analysis'];
  nowMs: number;
}

/** While something is on its way at the target. */
export const POLL_MS = 200;
/** While a step holds. */
export const HOLD_MS = 1_000;
/** While the data plane does not answer. */
export const BLIND_MS = 500;
/** A pause ends in an abort after this long: nothing waits for ever. */
export const PAUSE_LIMIT_MS = 24 * 3_600_000;
/** Restarts of one new instance that mean the version does not stay up. */
export const CRASH_LIMIT = 3;

/** The way back begins: the canary's weight may only fall from here on. */
export function turnBack(
  state: RolloutState,
  nowMs: number,
  reason: string,
  by: string,
  terminal: 'rolled-back' | 'aborted' | 'failed',
): RolloutState {
  const turnedBack = { atMs: nowMs, reason, by, terminal };
  return {
    ...state,
    phase: 'rolling-back',
    phaseEnteredAtMs: nowMs,
    paused: null,
    turnedBack,
    drainUntilMs: null,
  };
}
