import { type Lane, splitLane } from '../../kernel/ids.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import { briefActions, type RolloutEntry } from './entries.ts';
import { type IdleLane, type LanePlan, planLane } from './lane-plan.ts';
import { idleLanes, takeEpoch } from './lane-store.ts';
import { fenceOf } from './orders.ts';
import type { PassDeps, RolloutDeps } from './ports.ts';

/** Where idle lanes are kept; memory in the simulator, as with rollouts. */
export interface LaneStore {
  idleLanes(after: Lane | null, limit: number): Promise<IdleLane[]>;
  /** Takes the lane's next epoch and records why, both or neither; false when the lane is no longer idle as it was read. */
  takeEpoch(idle: IdleLane, entry: RolloutEntry): Promise<boolean>;
}

/** What a worker remembers of lanes it healed, so that what cannot be healed does not fill the ledger. */
export type HealMemory = Map<Lane, { untilMs: number; delayMs: number }>;

const FIRST_DELAY_MS = 2_000;
const LAST_DELAY_MS = 300_000;
const PAGE = 500;

/** One look at every idle lane over PostgreSQL; see `healLanes`. Returns how many lanes had drifted. */
export function reconcileLanes(deps: RolloutDeps, memory: HealMemory): Promise<number> {
  const { database, append, target, clock, log } = deps;
  return healLanes({ store: databaseLanes(database, append), target, clock, log }, memory);
}

function databaseLanes(database: Database, append: RolloutDeps['append']): LaneStore {
  return {
    idleLanes: (after, limit) => idleLanes(database, after, limit),
    takeEpoch: (idle, entry) =>
      database.transaction(async (tx: Transaction) => {
        if (!(await takeEpoch(tx, idle))) return false;
        await append(tx, entry);
        return true;
      }),
  };
}

/**
 * Compares every lane in which nothing moves with the data plane, and heals what drifted: a router or an agent that lost
 * its state, instances that failed or were started by a worker long taken for dead. Orders carry an epoch of their own,
 * taken from the lane, so those of earlier rollouts are refused afterwards and those of the next one are not.
 */
export async function healLanes(
  deps: Omit<PassDeps, 'store'> & { store: LaneStore },
  memory: HealMemory,
): Promise<number> {
  let after: Lane | null = null;
  let drifted = 0;
  for (;;) {
    const page: IdleLane[] = await deps.store.idleLanes(after, PAGE);
    if (page.length === 0) return drifted;
    const seen = await deps.target.observe(page.map((idle) => idle.lane));
    for (const idle of page) {
      const observation = seen.get(idle.lane);
      // Blind: nothing is known to have drifted.
      if (observation === undefined) continue;
      const plan = planLane(idle, observation);
      if (plan.actions.length === 0) memory.delete(idle.lane);
      else if (await heal(deps, idle, plan, memory)) drifted++;
    }
    if (page.length < PAGE) return drifted;
    after = page.at(-1)?.lane ?? null;
  }
}

async function heal(
  { store, target, clock, log }: Omit<PassDeps, 'store'> & { store: LaneStore },
  idle: IdleLane,
  { actions, reasons }: LanePlan,
  memory: HealMemory,
): Promise<boolean> {
  const nowMs = clock.nowMs();
  const before = memory.get(idle.lane);
  if (before !== undefined && nowMs < before.untilMs) return false;
  const delayMs = before === undefined ? FIRST_DELAY_MS : Math.min(LAST_DELAY_MS, 2 * before.delayMs);
  memory.set(idle.lane, { untilMs: nowMs + delayMs, delayMs });
  const { lane, digest, runtime } = idle;
  const epoch = idle.fence + 1;
  const taken = await store.takeEpoch(idle, {
    kind: 'rollout.action',
    atMs: nowMs,
    actor: 'system:worker',
    ...splitLane(lane),
    subject: idle.rolloutId,
    data: { digest, epoch, actions: briefActions(actions), reasons },
  });
  if (!taken) return false;
  log.warn({ lane, reasons }, 'an idle lane had drifted and is healed');
  try {
    for (const action of actions) await target.perform({ lane, fence: fenceOf(epoch, 0), runtime, action });
  } catch (error) {
    log.warn({ lane, error: (error as Error).message }, 'a lane could not be healed; it is looked at again');
  }
  return true;
}
