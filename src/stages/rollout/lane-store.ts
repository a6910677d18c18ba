import type { Digest } from '../../kernel/digest.ts';
import { type Lane, laneOf, splitLane } from '../../kernel/ids.ts';
import type { RolloutSpec } from '../../kernel/rollout.ts';
import type { Queryable } from '../../platform/postgres/database.ts';
import type { IdleLane } from './lane-plan.ts';
import type { LaneRuntime } from './store.ts';

interface Row {
  service: string;
  environment: string;
  digest: Digest | null;
  fence: number;
  id: string;
  spec: RolloutSpec;
  runtime: LaneRuntime;
}

/** Lanes without an active rollout, in the order of their names, after `after` (null: from the first). */
export async function idleLanes(database: Queryable, after: Lane | null, limit: number): Promise<IdleLane[]> {
  const from = after === null ? { service: '', environment: '' } : splitLane(after);
  const rows = await database.query<Row>(
    `select l.service, l.environment, l.digest, l.fence, r.id, r.spec, r.runtime
     from lanes l join rollouts r on r.id = coalesce(l.rollout_id, (
       select id from rollouts where service = l.service and environment = l.environment order by created_at desc limit 1))
     where (l.service, l.environment) > ($1, $2)
       and not exists (select 1 from rollouts a where a.service = l.service and a.environment = l.environment and a.ended_at is null)
     order by l.service, l.environment limit $3`,
    [from.service, from.environment, limit],
  );
  return rows.map((row) => ({
    lane: laneOf(row.service, row.environment),
    digest: row.digest,
    rolloutId: row.id,
    instances: row.spec.instances,
    runtime: row.runtime,
    fence: row.fence,
  }));
}

/**
 * The lane's next epoch, above every earlier rollout and below every later one. False when the lane is no longer as it was
 * read: a rollout has begun, or another worker heals it.
 */
export async function takeEpoch(tx: Queryable, { lane, fence }: IdleLane): Promise<boolean> {
  const { service, environment } = splitLane(lane);
  const rows = await tx.query(
    `update lanes l set fence = fence + 1 where service = $1 and environment = $2 and fence = $3
       and not exists (select 1 from rollouts a where a.service = $1 and a.environment = $2 and a.ended_at is null)
     returning fence`,
    [service, environment, fence],
  );
  return rows.length > 0;
}
