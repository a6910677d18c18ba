import type { InstanceSpec, LaneRoute } from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import { laneOf } from '../../kernel/ids.ts';
import type {
  Rollout,
  RolloutKind,
  RolloutRequest,
  RolloutSpec,
  RolloutState,
} from '../../kernel/rollout.ts';
import type { Verdict } from '../../kernel/verdict.ts';
import { json, type Queryable, type Transaction } from '../../platform/postgres/database.ts';
import { NO_ORDERS, type Orders } from './orders.ts';
import { type Action, HOLD_MS, type Plan } from './situation.ts';

/** How an instance of one version runs; everything of an InstanceSpec that the version and environment decide. */
export type InstanceTemplate = Pick<
  InstanceSpec,
  'env' | 'readiness' | 'startTimeoutMs' | 'stopGraceMs' | 'resources' | 'repository'
>;

/** What the target needs beside the plan; fixed when the rollout is created. */
export interface LaneRuntime {
  listen: LaneRoute['listen'];
  sticky: LaneRoute['sticky'];
  versions: Readonly<Record<Digest, InstanceTemplate>>;
}

/** One active rollout with all a pass needs. */
export interface ActiveRollout {
  rollout: Rollout;
  state: RolloutState;
  runtime: LaneRuntime;
  request: RolloutRequest | null;
  generation: number;
  /** Handed out by the lane at creation: later rollouts in a lane have higher ones. */
  epoch: number;
  promotionId: string | null;
  releaseId: string | null;
  repository: string;
  analysis: { verdict: Verdict; reason: string; atMs: number } | null;
  reasons: readonly string[];
  orders: Orders;
}

interface Row {
  id: string;
  service: string;
  environment: string;
  kind: RolloutKind;
  digest: Digest;
  previous_digest: Digest | null;
  spec: RolloutSpec;
  runtime: LaneRuntime;
  state: RolloutState;
  request: RolloutRequest | null;
  reasons: string[];
  generation: number;
  fence: number;
  orders: Orders | null;
  promotion_id: string | null;
  release_id: string | null;
  repository: string;
  created_at: Date;
  verdict: Verdict | null;
  analysis_reason: string | null;
  analysed_at: Date | null;
}

/**
 * A claim lasts this long: a worker that dies in a pass delays it by no more, and a pass that takes longer may be doubled,
 * which the swap makes harmless. As long as a step holds between looks, so that a pass that holds is one write, not two.
 */
const CLAIM_MS = HOLD_MS;

export function claimEnd(claimedAtMs: number): number {
  return claimedAtMs + CLAIM_MS;
}

/** Due rollouts, claimed by moving their wake-up; two workers never get the same one within a claim. */
export async function claimDue(database: Queryable, nowMs: number, limit: number): Promise<ActiveRollout[]> {
  const rows = await database.query<Row>(
    `with due as (
       select id from rollouts where ended_at is null and wake_at <= $1
       order by wake_at limit $2 for update skip locked
     ), claimed as (
       update rollouts r set wake_at = $3 from due where r.id = due.id returning r.*
     )
     select c.*, a.verdict, a.reason as analysis_reason, a.updated_at as analysed_at
     from claimed c left join analyses a on a.rollout_id = c.id`,
    [new Date(nowMs), limit, new Date(claimEnd(nowMs))],
  );
  return rows.map(toActive);
}

function toActive(row: Row): ActiveRollout {
  const { verdict, analysis_reason: reason, analysed_at: at } = row;
  return {
    rollout: {
      id: row.id,
      lane: laneOf(row.service, row.environment),
      kind: row.kind,
      digest: row.digest,
      previousDigest: row.previous_digest,
      spec: row.spec,
      createdAtMs: row.created_at.getTime(),
    },
    state: row.state,
    runtime: row.runtime,
    request: row.request,
    generation: row.generation,
    epoch: row.fence,
    promotionId: row.promotion_id,
    releaseId: row.release_id,
    repository: row.repository,
    analysis: verdict === null || at === null ? null : { verdict, reason: reason ?? '', atMs: at.getTime() },
    reasons: row.reasons,
    orders: row.orders ?? NO_ORDERS,
  };
}

/** Moves wake-ups, all in one statement. One that is no longer at `fromMs` was moved by somebody who wants a look: it stays. */
export async function reschedule(
  database: Queryable,
  wakes: readonly { id: string; fromMs: number; toMs: number }[],
): Promise<void> {
  if (wakes.length === 0) return;
  await database.query(
    `update rollouts r set wake_at = n.to_at
     from unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) as n(id, from_at, to_at)
     where r.id = n.id and r.ended_at is null and r.wake_at = n.from_at`,
    [
      wakes.map((wake) => wake.id),
      wakes.map((wake) => new Date(wake.fromMs)),
      wakes.map((wake) => new Date(wake.toMs)),
    ],
  );
}

/** A pass that changes something, ready to be committed. */
export interface ChangedPass {
  /** When it was claimed: all passes of a batch at the same moment. */
  claimedAtMs: number;
  active: ActiveRollout;
  plan: Plan;
  /** What is on order at the data plane once its actions are. */
  orders: Orders;
}

/**
 * Compare-and-swap of the generation together with the next state and its pending actions. Returns the ids that were
 * swapped; the others lost to another pass and must not act. A wake-up that came since the claim stays:
 * whoever asked for it may not have been heard by this pass. A request is done with only if it is the one that was read.
 */
export async function swapStates(
  tx: Transaction,
  passes: readonly ChangedPass[],
  nowMs: number,
): Promise<Set<string>> {
  const now = new Date(nowMs);
  const rows = await tx.query<{ id: string }>(
    `update rollouts r
     set state = n.state, phase = n.state->>'phase', reasons = n.reasons, generation = r.generation + 1,
         wake_at = case when n.wake_at is null or r.wake_at = $9::timestamptz then n.wake_at else least(r.wake_at, n.wake_at) end,
         updated_at = $6::timestamptz, ended_at = case when n.wake_at is null then $6::timestamptz end,
         outcome = case when n.wake_at is null then n.state->>'phase' end,
         request = case when r.request = n.request then null else r.request end, orders = n.orders
     from unnest($1::text[], $2::integer[], $3::jsonb[], $4::jsonb[], $5::timestamptz[], $7::jsonb[], $8::jsonb[])
       as n(id, generation, state, reasons, wake_at, request, orders)
     where r.id = n.id and r.generation = n.generation and r.ended_at is null
     returning r.id`,
    [
      passes.map((pass) => pass.active.rollout.id),
      passes.map((pass) => pass.active.generation),
      passes.map((pass) => json(pass.plan.next)),
      passes.map((pass) => json(pass.plan.reasons)),
      passes.map((pass) => (pass.plan.wakeAtMs === null ? null : new Date(pass.plan.wakeAtMs))),
      now,
      passes.map((pass) => (pass.active.request === null ? null : json(pass.active.request))),
      passes.map((pass) => json(pass.orders)),
      new Date(claimEnd(passes[0]?.claimedAtMs ?? nowMs)),
    ],
  );
  const swapped = new Set(rows.map((row) => row.id));
  await insertActions(
    tx,
    passes.filter((pass) => swapped.has(pass.active.rollout.id)),
    now,
  );
  return swapped;
}

async function insertActions(tx: Transaction, passes: readonly ChangedPass[], now: Date): Promise<void> {
  const rows = passes.flatMap(({ active, plan }) =>
    plan.actions.map((action, n) => ({
      id: active.rollout.id,
      generation: active.generation + 1,
      n,
      action,
    })),
  );
  if (rows.length === 0) return;
  await tx.query(
    `insert into rollout_actions (rollout_id, generation, n, action, status, created_at)
     select *, 'pending', $5 from unnest($1::text[], $2::integer[], $3::integer[], $4::jsonb[])`,
    [
      rows.map((r) => r.id),
      rows.map((r) => r.generation),
      rows.map((r) => r.n),
      rows.map((r) => json(r.action)),
      now,
    ],
  );
}

export interface ActionResult {
  rolloutId: string;
  generation: number;
  n: number;
  action: Action;
  problem: string | null;
}

/**
 * Records what became of actions, and tells people of one that failed: it is why the rollout stands still. Pending ones of
 * earlier generations were made void by the pass that replaced them.
 */
export async function recordResults(
  database: Queryable,
  results: readonly ActionResult[],
  nowMs: number,
): Promise<void> {
  if (results.length === 0) return;
  await database.query(
    `with r as (select * from unnest($1::text[], $2::integer[], $3::integer[], $4::text[], $6::text[])
       as r(rollout_id, generation, n, problem, reason)),
     told as (
       update rollouts o set reasons = jsonb_build_array(r.reason) || o.reasons, updated_at = $5
       from r where o.id = r.rollout_id and o.generation = r.generation and o.ended_at is null and r.problem is not null
     )
     update rollout_actions a
     set status = case when r.problem is null then 'done' else 'failed' end,
         result = case when r.problem is null then null else jsonb_build_object('problem', r.problem) end, finished_at = $5
     from r where a.rollout_id = r.rollout_id and a.generation = r.generation and a.n = r.n`,
    [
      results.map((r) => r.rolloutId),
      results.map((r) => r.generation),
      results.map((r) => r.n),
      results.map((r) => r.problem),
      new Date(nowMs),
      results.map((r) => `${FAILED[r.action.kind]}: ${r.problem}`),
    ],
  );
}

const FAILED: Readonly<Record<Action['kind'], string>> = {
  route: 'the route cannot be set',
  'start-instance': 'an instance cannot be started',
  'stop-instance': 'an instance cannot be stopped',
};

/** The lane now runs the new version. */
export async function takeOver(
  tx: Transaction,
  active: ActiveRollout,
  lane: { service: string; environment: string },
  nowMs: number,
): Promise<void> {
  await tx.query(
    `update lanes set digest = $3, release_id = $4, rollout_id = $5, repository = $6, since = $7
     where service = $1 and environment = $2`,
    [
      lane.service,
      lane.environment,
      active.rollout.digest,
      active.releaseId,
      active.rollout.id,
      active.repository,
      new Date(nowMs),
    ],
  );
}

/** From here on the analysis reconciler looks at it. */
export async function startAnalysis(
  tx: Transaction,
  rolloutId: string,
  analysis: RolloutSpec['analysis'],
  nowMs: number,
): Promise<void> {
  if (analysis === null) return;
  await tx.query(
    `insert into analyses (rollout_id, spec, verdict, reason, updated_at) values ($1, $2, 'no-data', 'no look yet', $3)
     on conflict (rollout_id) do nothing`,
    [rolloutId, json(analysis), new Date(nowMs)],
  );
}
