import { splitLane } from '../../kernel/ids.ts';
import { isTerminal } from '../../kernel/rollout.ts';
import type { Transaction } from '../../platform/postgres/database.ts';
import { appendAll } from '../../support/ledger/append.ts';
import { changesState, entryOf } from './entries.ts';
import type { RolloutDeps, RolloutStore } from './ports.ts';
import { type ChangedPass, claimDue, recordResults, reschedule, swapStates, takeOver } from './store.ts';

/** Rollouts in PostgreSQL: a commit is one transaction, whatever it changes. */
export function databaseStore({
  database,
  wakePromotion,
}: Pick<RolloutDeps, 'database' | 'wakePromotion'>): RolloutStore {
  return {
    claimDue: (nowMs, limit) => claimDue(database, nowMs, limit),
    reschedule: (wakes) => reschedule(database, wakes),
    commit: (passes, nowMs) =>
      database.transaction(async (tx) => {
        const swapped = await swapStates(tx, passes, nowMs);
        const won = passes.filter((pass) => swapped.has(pass.active.rollout.id));
        await appendAll(
          tx,
          won.flatMap((pass) => entryOf(pass, changesState(pass), nowMs) ?? []),
        );
        for (const pass of won) await afterEnd(tx, pass, nowMs, wakePromotion);
        return won;
      }),
    recordResults: (results, nowMs) => recordResults(database, results, nowMs),
  };
}

async function afterEnd(
  tx: Transaction,
  { active, plan: { next } }: ChangedPass,
  nowMs: number,
  wakePromotion: RolloutDeps['wakePromotion'],
): Promise<void> {
  if (!isTerminal(next.phase)) return;
  if (next.phase === 'succeeded') await takeOver(tx, active, splitLane(active.rollout.lane), nowMs);
  if (active.promotionId) await wakePromotion(tx, active.promotionId);
}
