import type { EntryKind } from '../../kernel/event.ts';
import type { Lane } from '../../kernel/ids.ts';
import { isTerminal } from '../../kernel/rollout.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import { check } from './check.ts';
import type { LaneObservation } from './fleet.ts';
import { plan } from './plan.ts';
import { type Action, type Plan, turnBack } from './situation.ts';
import {
  type ActionResult,
  type ActiveRollout,
  type ChangedPass,
  claimDue,
  type LaneRuntime,
  laneKey,
  recordResults,
  scheduleNext,
  swapStates,
  takeOver,
} from './store.ts';

/** Where instances run and traffic flows. `perform` is idempotent and refuses a fence lower than one seen for the lane. */
export interface Target {
  /** Lanes that did not answer are absent from the map. */
  observe(lanes: readonly Lane[]): Promise<ReadonlyMap<Lane, LaneObservation>>;
  perform(order: { lane: Lane; fence: number; runtime: LaneRuntime; action: Action }): Promise<void>;
}

export interface RolloutDeps {
  database: Database;
  target: Target;
  clock: Clock;
  log: Logger;
  append(
    tx: Transaction,
    entry: {
      kind: Exclude<EntryKind, 'signature'>;
      atMs: number;
      actor: string;
      service?: string;
      environment?: string;
      subject: string;
      data: Record<string, unknown>;
    },
  ): Promise<unknown>;
  /** Queues the promotion's reconciler in the same transaction. */
  wakePromotion(tx: Transaction, promotionId: string): Promise<void>;
}

/** Passes of one rollout get fences in order, and every later rollout of the lane gets higher ones. */
const GENERATIONS_PER_EPOCH = 1_048_576;

export function fenceOf(epoch: number, generation: number): number {
  return epoch * GENERATIONS_PER_EPOCH + generation;
}

/**
 * One batch of passes. The commit protocol:
 *
 * 1. Claim due rollouts by moving their wake-up (a dead worker's claim runs out by itself).
 * 2. Observe the data plane, plan, check. A plan that breaks an invariant is replaced by the safe one: turn back.
 * 3. In one transaction swap the generation, write the next state, the pending actions, the ledger entries, and wake
 *    whoever waits. Losing the swap means another pass was first: nothing happens.
 * 4. After the commit perform the actions, fenced by (epoch, generation), and record what became of them.
 *
 * A crash before 3 loses nothing; a crash after 3 leaves actions undone that the next pass finds missing at the target and
 * plans again. Nothing is ever performed that was not committed. Returns how many rollouts were looked at.
 */
export async function reconcileRollouts(deps: RolloutDeps, limit = 500): Promise<number> {
  const nowMs = deps.clock.nowMs();
  const due = await claimDue(deps.database, nowMs, limit);
  if (due.length === 0) return 0;
  const observations = await deps.target.observe(due.map((active) => active.rollout.lane));
  const passes = due.map((active) => ({
    active,
    plan: planChecked(deps, active, observations.get(active.rollout.lane) ?? null, nowMs),
  }));
  const changed = passes.filter(isChange);
  const same = passes.filter((pass) => !isChange(pass));
  await scheduleNext(
    deps.database,
    same.map(({ active, plan }) => ({ id: active.rollout.id, wakeAtMs: plan.wakeAtMs ?? nowMs })),
    nowMs,
  );
  if (changed.length > 0) await perform(deps, await commit(deps, changed, nowMs));
  return due.length;
}

function planChecked(
  deps: RolloutDeps,
  active: ActiveRollout,
  observation: LaneObservation | null,
  nowMs: number,
): Plan {
  const { rollout, state, request, analysis } = active;
  const situation = { nowMs, observation, analysis, request };
  const proposal = plan(rollout, state, situation);
  const violations = check(rollout, state, situation, proposal);
  if (violations.length === 0) return proposal;
  const why = violations
    .map((violation) => `invariant ${violation.invariant}: ${violation.message}`)
    .join('; ');
  deps.log.error(
    { rollout: rollout.id, violations, proposal },
    'a plan broke an invariant and is not applied',
  );
  const hold = { next: state, actions: [], reasons: [`stopped safely: ${why}`], wakeAtMs: nowMs + 1_000 };
  if (!['preparing', 'stepping', 'promoting'].includes(state.phase)) return hold;
  const turned = turnBack(
    state,
    nowMs,
    `stopped safely: ${why}`,
    'system:check',
    state.exposedAtMs === null ? 'failed' : 'rolled-back',
  );
  const retreat = plan(rollout, turned, { ...situation, request: null });
  return check(rollout, turned, situation, retreat).length === 0 ? retreat : hold;
}

function isChange({ active, plan }: ChangedPass): boolean {
  if (plan.actions.length > 0 || plan.wakeAtMs === null || active.request !== null) return true;
  if (JSON.stringify(plan.next) !== JSON.stringify(active.state)) return true;
  return headline(plan.reasons) !== headline(active.reasons);
}

/** Counting down is not a change worth a row and an entry. */
function headline(reasons: readonly string[]): string {
  return (reasons[0] ?? '').replace(/[\d.,]+/g, '#');
}

async function commit(
  deps: RolloutDeps,
  passes: readonly ChangedPass[],
  nowMs: number,
): Promise<ChangedPass[]> {
  return deps.database.transaction(async (tx) => {
    const swapped = await swapStates(tx, passes, nowMs);
    const won = passes.filter((pass) => swapped.has(pass.active.rollout.id));
    for (const pass of won) await recordPass(deps, tx, pass, nowMs);
    return won;
  });
}

async function recordPass(
  deps: RolloutDeps,
  tx: Transaction,
  { active, plan: { next, actions, reasons } }: ChangedPass,
  nowMs: number,
): Promise<void> {
  const { rollout } = active;
  const stateChanged = JSON.stringify(next) !== JSON.stringify(active.state);
  if (!stateChanged && actions.length === 0) return;
  const ended = isTerminal(next.phase);
  const lane = laneKey(rollout.lane);
  const actor =
    next.turnedBack !== null && active.state.turnedBack === null
      ? next.turnedBack.by
      : (active.request?.actor ?? 'system:worker');
  const data = {
    digest: rollout.digest,
    previousDigest: rollout.previousDigest,
    generation: active.generation + 1,
    state: next,
    actions: actions.map(brief),
    reasons,
  };
  await deps.append(tx, {
    kind: ended ? 'rollout.ended' : 'rollout.changed',
    atMs: nowMs,
    actor,
    ...lane,
    subject: rollout.id,
    data,
  });
  if (next.phase === 'succeeded') await takeOver(tx, active, lane, nowMs);
  if (ended && active.promotionId) await deps.wakePromotion(tx, active.promotionId);
}

function brief(action: Action): Record<string, unknown> {
  if (action.kind !== 'route') return action;
  return {
    kind: action.kind,
    weights: action.weights,
    backends: action.backends.map((backend) => `${backend.id}:${backend.state}`),
  };
}

async function perform(deps: RolloutDeps, passes: readonly ChangedPass[]): Promise<void> {
  const results = await Promise.all(passes.map((pass) => performOne(deps, pass)));
  await recordResults(deps.database, results.flat(), deps.clock.nowMs());
}

/** In order, and none after one that failed: a stop must never overtake the route change it relies on. */
async function performOne(
  deps: RolloutDeps,
  { active, plan: { actions } }: ChangedPass,
): Promise<ActionResult[]> {
  const generation = active.generation + 1;
  const order = {
    lane: active.rollout.lane,
    fence: fenceOf(active.epoch, generation),
    runtime: active.runtime,
  };
  const results: ActionResult[] = [];
  for (const [n, action] of actions.entries()) {
    const result = { rolloutId: active.rollout.id, generation, n, action };
    try {
      await deps.target.perform({ ...order, action });
      results.push({ ...result, problem: null });
    } catch (error) {
      deps.log.warn(
        { rollout: active.rollout.id, action: action.kind, error: (error as Error).message },
        'an action failed; the next pass plans again',
      );
      results.push({ ...result, problem: (error as Error).message });
      break;
    }
  }
  return results;
}
