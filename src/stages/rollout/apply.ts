import { isSlipwayError } from '../../kernel/errors.ts';
import { check } from './check.ts';
import { databaseStore } from './commit.ts';
import { changesState } from './entries.ts';
import type { LaneObservation } from './fleet.ts';
import { fenceOf, ordersAfter, outstandingOf } from './orders.ts';
import { plan } from './plan.ts';
import type { PassDeps, RolloutDeps } from './ports.ts';
import { type Plan, type Situation, turnBack } from './situation.ts';
import { type ActionResult, type ActiveRollout, type ChangedPass, claimEnd } from './store.ts';

export type { RolloutDeps, Target } from './ports.ts';

/** One batch of passes over PostgreSQL; see `runPasses`. */
export function reconcileRollouts(deps: RolloutDeps, limit = 500): Promise<number> {
  const { target, clock, log } = deps;
  return runPasses({ store: databaseStore(deps), target, clock, log }, limit);
}

/**
 * One batch of passes. The commit protocol:
 *
 * 1. Claim due rollouts by moving their wake-up (a dead worker's claim runs out by itself).
 * 2. Observe the data plane, plan, check. A plan that breaks an invariant is replaced by the safe one: turn back.
 * 3. In one transaction swap the generation, write the next state, the pending actions, what is now on order at the data
 *    plane, the ledger entries, and wake whoever waits. Losing the swap means another pass was first: nothing happens.
 * 4. After the commit perform the actions, fenced by (epoch, generation), and record what became of them.
 *
 * A crash before 3 loses nothing; a crash after 3 leaves actions undone that the next pass finds missing at the target and
 * plans again. Nothing is ever performed that was not committed, and what was committed counts as on its way until it is
 * seen or fenced off (orders.ts): a worker taken for dead may still perform it. Returns how many rollouts were looked at.
 */
export async function runPasses(deps: PassDeps, limit: number): Promise<number> {
  const { store, target, clock } = deps;
  const claimedAtMs = clock.nowMs();
  const due = await store.claimDue(claimedAtMs, limit);
  if (due.length === 0) return 0;
  const observations = await target.observe(due.map((active) => active.rollout.lane));
  // What was seen is at least as old as this: no step counts time in which its weight was not there yet.
  const nowMs = clock.nowMs();
  const changed: ChangedPass[] = [];
  const unchanged: { id: string; fromMs: number; toMs: number }[] = [];
  for (const active of due) {
    const observation = observations.get(active.rollout.lane) ?? null;
    const pass = { claimedAtMs, active, ...passOf(deps, active, observation, nowMs) };
    if (isChange(pass)) changed.push(pass);
    else {
      const [fromMs, toMs] = [claimEnd(claimedAtMs), pass.plan.wakeAtMs ?? nowMs];
      if (toMs < fromMs || toMs > fromMs + SLACK_MS) unchanged.push({ id: active.rollout.id, fromMs, toMs });
    }
  }
  await store.reschedule(unchanged);
  if (changed.length > 0) await perform(deps, await commit(deps, changed, nowMs), nowMs);
  return due.length;
}

/** A look that comes this much early is not worth a write: a pass that holds looks again when its claim ends. */
const SLACK_MS = 250;
/** A rollout that cannot be planned at all is looked at this often. */
const BROKEN_MS = 5_000;

function passOf(
  deps: PassDeps,
  active: ActiveRollout,
  observation: LaneObservation | null,
  nowMs: number,
): Pick<ChangedPass, 'plan' | 'orders'> {
  const outstanding = outstandingOf(active.orders, active.epoch, observation);
  const { request, analysis } = active;
  const checked = planned(deps, active, { nowMs, observation, analysis, request, outstanding });
  const orders = ordersAfter(active.orders, observation, checked.actions, active.generation + 1);
  return { plan: checked, orders };
}

/** One rollout that cannot be planned must not keep the others of its batch from being. */
function planned(deps: PassDeps, active: ActiveRollout, situation: Situation): Plan {
  try {
    return planChecked(deps, active, situation);
  } catch (error) {
    deps.log.error({ rollout: active.rollout.id, err: error }, 'a rollout cannot be planned');
    const reasons = [`cannot be planned: ${(error as Error).message}`];
    return { next: active.state, actions: [], reasons, wakeAtMs: situation.nowMs + BROKEN_MS };
  }
}

function planChecked(
  deps: PassDeps,
  { rollout, state, generation }: ActiveRollout,
  situation: Situation,
): Plan {
  const { nowMs } = situation;
  const proposal = plan(rollout, state, situation);
  const violations = check(rollout, state, situation, proposal);
  if (violations.length === 0) return proposal;
  const why = violations
    .map((violation) => `invariant ${violation.invariant}: ${violation.message}`)
    .join('; ');
  deps.log.error(
    { rollout: rollout.id, generation, violations, proposal },
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

function isChange({ active, plan, orders }: ChangedPass): boolean {
  if (plan.actions.length > 0 || plan.wakeAtMs === null || active.request !== null) return true;
  if (orders !== active.orders || changesState({ active, plan })) return true;
  return plan.reasons[0] !== active.reasons[0] && headline(plan.reasons) !== headline(active.reasons);
}

/** Counting down is not a change worth a row and an entry. */
function headline(reasons: readonly string[]): string {
  return (reasons[0] ?? '').replace(/[\d.,]+/g, '#');
}

/** All in one transaction; when that fails for a reason of its own, each alone, so that one cannot hold up the others. */
async function commit(
  { store, log }: PassDeps,
  passes: readonly ChangedPass[],
  nowMs: number,
): Promise<readonly ChangedPass[]> {
  try {
    return await store.commit(passes, nowMs);
  } catch (error) {
    // Without a database none of them can be: the next batch starts from the rows.
    if (passes.length === 1 || isAway(error)) throw error;
    log.warn({ err: error, passes: passes.length }, 'a batch could not be committed; each pass alone');
  }
  const won: ChangedPass[] = [];
  for (const pass of passes) {
    try {
      won.push(...(await store.commit([pass], nowMs)));
    } catch (error) {
      if (isAway(error)) throw error;
      log.error({ rollout: pass.active.rollout.id, err: error }, 'a pass could not be committed');
    }
  }
  return won;
}

function isAway(error: unknown): boolean {
  return isSlipwayError(error) && error.retryable;
}

async function perform(deps: PassDeps, passes: readonly ChangedPass[], nowMs: number): Promise<void> {
  const results = (await Promise.all(passes.map((pass) => performOne(deps, pass)))).flat();
  await deps.store.recordResults(results, deps.clock.nowMs());
  const failed = new Set(results.flatMap((result) => (result.problem === null ? [] : [result.rolloutId])));
  await deps.store.reschedule(
    passes.flatMap(({ active, plan }) => {
      if (!failed.has(active.rollout.id) || plan.wakeAtMs === null) return [];
      const toMs = plan.wakeAtMs + retryMs(plan.next.phaseEnteredAtMs, nowMs);
      return [{ id: active.rollout.id, fromMs: plan.wakeAtMs, toMs }];
    }),
  );
}

/** Every try is a row and an entry: the longer the phase has lasted, the more seldom it is tried. */
function retryMs(phaseEnteredAtMs: number, nowMs: number): number {
  return Math.min(30_000, Math.max(0, nowMs - phaseEnteredAtMs) / 20);
}

/** In order, and none after one that failed: a stop must never overtake the route change it relies on. */
async function performOne(
  deps: PassDeps,
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
