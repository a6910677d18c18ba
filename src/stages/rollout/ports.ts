import type { Lane } from '../../kernel/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import type { RolloutEntry } from './entries.ts';
import type { LaneObservation } from './fleet.ts';
import type { Action } from './situation.ts';
import type { ActionResult, ActiveRollout, ChangedPass, LaneRuntime } from './store.ts';

/** Where instances run and traffic flows. `perform` is idempotent and refuses a fence lower than one seen for the lane. */
export interface Target {
  /** Lanes that did not answer are absent from the map. */
  observe(lanes: readonly Lane[]): Promise<ReadonlyMap<Lane, LaneObservation>>;
  perform(order: { lane: Lane; fence: number; runtime: LaneRuntime; action: Action }): Promise<void>;
}

/** Where rollouts are kept. PostgreSQL in production (`databaseStore`), memory in the simulator: the same passes run on both. */
export interface RolloutStore {
  /** Due rollouts, their wake-up moved to `claimEnd(nowMs)`, so that no other worker takes them within a claim. */
  claimDue(nowMs: number, limit: number): Promise<ActiveRollout[]>;
  /** Moves wake-ups that still are at `fromMs`; one that came meanwhile wins. */
  reschedule(wakes: readonly { id: string; fromMs: number; toMs: number }[]): Promise<void>;
  /** All or nothing for those whose generation is still the one read; returns these. */
  commit(passes: readonly ChangedPass[], nowMs: number): Promise<readonly ChangedPass[]>;
  recordResults(results: readonly ActionResult[], nowMs: number): Promise<void>;
}

export interface RolloutDeps {
  database: Database;
  target: Target;
  clock: Clock;
  log: Logger;
  append(tx: Transaction, entry: RolloutEntry): Promise<unknown>;
  /** Queues the promotion's reconciler in the same transaction. */
  wakePromotion(tx: Transaction, promotionId: string): Promise<void>;
}

export interface PassDeps {
  store: RolloutStore;
  target: Target;
  clock: Clock;
  log: Logger;
}
