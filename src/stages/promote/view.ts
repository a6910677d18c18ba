import { z } from 'zod';
import type { PlatformConfig } from '../../kernel/config.ts';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { RequestContext } from '../../platform/http/route.ts';
import type { PromoteDeps } from './deps.ts';
import { type PromotionRow, readApprovals, readPromotion } from './store.ts';

/** What the endpoints are given. */
export interface PromoteRouteDeps
  extends Pick<PromoteDeps, 'database' | 'clock' | 'append' | 'platform' | 'wakePromotion'> {
  /** The rollout stage's list of versions to go back to. */
  rollbackTargets(
    service: string,
    environment: string,
  ): Promise<{ digest: Digest; releaseId: string; releaseNumber: number; safe: boolean; reason: string }[]>;
  isMember(platform: PlatformConfig, context: RequestContext, groups: readonly string[]): boolean;
}

export const promotionView = z.object({
  id: z.string(),
  service: z.string(),
  environment: z.string(),
  digest: z.string(),
  releaseId: z.string().nullable(),
  kind: z.string(),
  status: z.string(),
  reason: z.string().nullable(),
  decisionId: z.string().nullable(),
  rolloutId: z.string().nullable(),
  requestedBy: z.string(),
  createdAt: z.string(),
  statusAt: z.string(),
  deadlineAt: z.string(),
  endedAt: z.string().nullable(),
  approvals: z.array(z.object({ actor: z.string(), answer: z.string(), reason: z.string(), at: z.string() })),
});

export type PromotionView = z.infer<typeof promotionView>;

export async function view(deps: PromoteRouteDeps, row: PromotionRow): Promise<PromotionView> {
  const approvals = await readApprovals(deps.database, row.id);
  return {
    id: row.id,
    service: row.service,
    environment: row.environment,
    digest: row.digest,
    releaseId: row.release_id,
    kind: row.kind,
    status: row.status,
    reason: row.reason,
    decisionId: row.decision_id,
    rolloutId: row.rollout_id,
    requestedBy: row.requested_by,
    createdAt: row.created_at.toISOString(),
    statusAt: row.status_at.toISOString(),
    deadlineAt: row.deadline_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    approvals: approvals.map(({ actor, answer: given, reason, given_at: at }) => ({
      actor,
      answer: given,
      reason,
      at: at.toISOString(),
    })),
  };
}

export async function mustRead(deps: PromoteRouteDeps, id: string): Promise<PromotionRow> {
  const row = await readPromotion(deps.database, id);
  if (row === undefined) throw new SlipwayError('not_found', `there is no promotion ${id}`);
  return row;
}

export const promotionParams = z.object({ promotion: z.string().max(64) });
