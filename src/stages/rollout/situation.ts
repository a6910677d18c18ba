import type { Group, RouteBackend, RouteMatch, Weights } from '../../kernel/dataplane.ts';
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
      match: readonly RouteMatch[];
    };

/**
 * Orders of earlier passes whose effect is not seen yet. They may still arrive, also from a worker that was taken for dead,
 * so a pass neither builds on them nor takes them back by silence: it gives a newer order, which fences the older ones off.
 */
export interface Outstanding {
  /** The router is not seen to carry the newest route ordered, or none was ordered by this rollout so far. */
  route: boolean;
  /** Instances whose stop was ordered; they never serve again. */
  stops: readonly string[];
}

/** All a planner may know. `observation` is null when the data plane did not answer. */
export interface Situation {
  nowMs: number;
  observation: LaneObservation | null;
  analysis: { verdict: Verdict; reason: string; atMs: number } | null;
  request: RolloutRequest | null;
  outstanding: Outstanding;
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
  outstanding: Outstanding;
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
/** A reason is for people and for the ledger: what an instance wrote last may be long. */
const REASON_CHARACTERS = 1_000;
/** Time the rollout was paused before its last resume; it does not count against the progress deadline. */
export function heldMs(state: RolloutState & { heldMs?: number }): number {
  return state.heldMs ?? 0;
}

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
  const turnedBack = { atMs: nowMs, reason: reason.slice(0, REASON_CHARACTERS), by, terminal };
  return {
    ...state,
    phase: 'rolling-back',
    phaseEnteredAtMs: nowMs,
    paused: null,
    turnedBack,
    drainUntilMs: null,
  };
}
