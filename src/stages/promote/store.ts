import type { ServiceConfig } from '../../kernel/config.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { PromotionStatus } from '../../kernel/release.ts';
import type { RolloutKind, RolloutPhase } from '../../kernel/rollout.ts';
import type { Queryable } from '../../platform/postgres/database.ts';

export interface PromotionRow {
  id: string;
  service: string;
  environment: string;
  digest: Digest;
  release_id: string | null;
  kind: RolloutKind;
  status: PromotionStatus;
  reason: string | null;
  decision_id: string | null;
  rollout_id: string | null;
  requested_by: string;
  created_at: Date;
  status_at: Date;
  deadline_at: Date;
  ended_at: Date | null;
  generation: number;
}

export async function readPromotion(database: Queryable, id: string): Promise<PromotionRow | undefined> {
  const [row] = await database.query<PromotionRow>('select * from promotions where id = $1', [id]);
  return row;
}

export interface ReleaseRow {
  id: string;
  service: string;
  number: number;
  commit_sha: string;
  status: string;
  config: ServiceConfig | null;
  config_digest: string | null;
  digest: Digest | null;
  problem: string | null;
  created_by: string;
  created_at: Date;
  finished_at: Date | null;
}

export async function readRelease(database: Queryable, id: string): Promise<ReleaseRow | undefined> {
  const [row] = await database.query<ReleaseRow>('select * from releases where id = $1', [id]);
  return row;
}

export async function readRolloutEnd(
  database: Queryable,
  id: string,
): Promise<{ outcome: RolloutPhase | null; reasons: string[]; ended_at: Date | null } | undefined> {
  const [row] = await database.query<{
    outcome: RolloutPhase | null;
    reasons: string[];
    ended_at: Date | null;
  }>('select outcome, reasons, ended_at from rollouts where id = $1', [id]);
  return row;
}

/** When the digest last took over in the environment; null when it never did. */
export async function succeededAt(
  database: Queryable,
  service: string,
  environment: string,
  digest: Digest,
): Promise<Date | null> {
  const [row] = await database.query<{ at: Date | null }>(
    `select max(ended_at) as at from rollouts where service = $1 and environment = $2 and digest = $3 and outcome = 'succeeded'`,
    [service, environment, digest],
  );
  return row?.at ?? null;
}

/** Whether the digest was turned back here; such a release is not promoted again by itself. */
export async function wasTurnedBack(
  database: Queryable,
  service: string,
  environment: string,
  digest: Digest,
): Promise<boolean> {
  const rows = await database.query(
    `select 1 from rollouts where service = $1 and environment = $2 and digest = $3 and outcome in ('rolled-back', 'aborted', 'failed') limit 1`,
    [service, environment, digest],
  );
  return rows.length > 0;
}

/** Whether the lane is taken by an active rollout. */
export async function laneIsBusy(
  database: Queryable,
  service: string,
  environment: string,
): Promise<boolean> {
  const rows = await database.query(
    'select 1 from rollouts where service = $1 and environment = $2 and ended_at is null',
    [service, environment],
  );
  return rows.length > 0;
}

/** A newer release that waits for the same lane makes an older one that has not started there pointless. */
export async function newerWaiting(database: Queryable, promotion: PromotionRow): Promise<string | null> {
  const [row] = await database.query<{ id: string }>(
    `select p.id from promotions p join releases r on r.id = p.release_id
     where p.service = $1 and p.environment = $2 and p.ended_at is null and p.id <> $3 and p.kind <> 'rollback'
       and r.number > (select number from releases where id = $4) limit 1`,
    [promotion.service, promotion.environment, promotion.id, promotion.release_id],
  );
  return row?.id ?? null;
}

/** The promotion of the digest to this place that has not ended; null when there is none. */
export async function openPromotion(
  database: Queryable,
  service: string,
  environment: string,
  digest: Digest,
): Promise<string | null> {
  const [row] = await database.query<{ id: string }>(
    'select id from promotions where service = $1 and environment = $2 and digest = $3 and ended_at is null',
    [service, environment, digest],
  );
  return row?.id ?? null;
}

export async function openInLane(
  database: Queryable,
  service: string,
  environment: string,
): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    'select id from promotions where service = $1 and environment = $2 and ended_at is null',
    [service, environment],
  );
  return rows.map((row) => row.id);
}

export interface ApprovalRow {
  id: string;
  actor: string;
  answer: 'approve' | 'reject';
  reason: string;
  binding: string;
  given_at: Date;
}

export async function readApprovals(database: Queryable, promotionId: string): Promise<ApprovalRow[]> {
  return database.query<ApprovalRow>(
    'select id, actor, answer, reason, binding, given_at from approvals where promotion_id = $1 order by given_at',
    [promotionId],
  );
}
