import type { EnvironmentConfig } from '../../kernel/config.ts';
import type { Outcome } from '../../kernel/decision.ts';
import type { PromotionStatus } from '../../kernel/release.ts';
import type { RolloutPhase } from '../../kernel/rollout.ts';

/** Everything a promotion's next move depends on. */
export interface PromotionSituation {
  nowMs: number;
  status: PromotionStatus;
  kind: 'planned' | 'hotfix' | 'rollback';
  deadlineMs: number;
  environment: Pick<EnvironmentConfig, 'after' | 'promotion'>;
  /** When the digest took over in `after`; null when it has not. */
  succeededBeforeMs: number | null;
  newerWaiting: string | null;
  laneBusy: boolean;
  /** Filled once the gate has been asked in this pass. */
  decision: { outcome: Outcome; reason: string } | null;
  /** Approvals that are bound to this very commit, digest, environment and policy. */
  approvals: { approved: number; rejectedBy: string | null };
  rollout: { outcome: RolloutPhase | null; reason: string } | null;
}

export type PromotionMove =
  | { kind: 'stay'; reason: string; wakeAtMs: number }
  | { kind: 'become'; status: PromotionStatus; reason: string }
  /** Ask the gate, then plan again with its decision. */
  | { kind: 'ask-gate' }
  /** Create the rollout in the same transaction as the status. */
  | { kind: 'start-rollout'; reason: string }
  | { kind: 'end'; status: PromotionStatus; reason: string };

const RECHECK_MS = 2_000;

/** The next move of a promotion. Pure; nothing waits for ever: every wait runs into the deadline. */
export function planPromotion(situation: PromotionSituation): PromotionMove {
  const { nowMs, status, deadlineMs } = situation;
  if (status === 'rolling') return followRollout(situation);
  if (nowMs >= deadlineMs)
    return {
      kind: 'end',
      status: 'expired',
      reason: `nothing let it pass before its deadline (was ${status})`,
    };
  if (situation.newerWaiting !== null && situation.kind === 'planned') {
    return {
      kind: 'end',
      status: 'superseded',
      reason: `a newer release waits for the same place: ${situation.newerWaiting}`,
    };
  }
  if (status === 'waiting') return leaveWaiting(situation);
  if (situation.approvals.rejectedBy !== null) {
    return { kind: 'end', status: 'rejected', reason: `refused by ${situation.approvals.rejectedBy}` };
  }
  if (situation.laneBusy) return stay(situation, 'a rollout is active here', nowMs + RECHECK_MS);
  // The gate is asked last, right before the lane is taken: what was gated is what runs.
  const enough = approved(situation);
  // A decision of this pass may rest on another policy than the one approvals were given to: it is recorded, so that the
  // next approval is bound to it.
  if (status === 'awaiting-approval' && !enough && situation.decision === null)
    return stay(situation, approvalReason(situation), deadlineMs);
  if (situation.decision === null) return { kind: 'ask-gate' };
  if (situation.decision.outcome === 'deny')
    return { kind: 'end', status: 'denied', reason: situation.decision.reason };
  if (!enough) return { kind: 'become', status: 'awaiting-approval', reason: approvalReason(situation) };
  return { kind: 'start-rollout', reason: situation.decision.reason };
}

function leaveWaiting(situation: PromotionSituation): PromotionMove {
  const { environment, succeededBeforeMs, nowMs, kind } = situation;
  if (environment.after !== null && kind !== 'rollback') {
    if (succeededBeforeMs === null)
      return stay(situation, `waits for ${environment.after}`, situation.deadlineMs);
    const soakedAtMs = succeededBeforeMs + environment.promotion.soakS * 1_000;
    if (nowMs < soakedAtMs)
      return stay(
        situation,
        `soaks in ${environment.after} until ${new Date(soakedAtMs).toISOString()}`,
        soakedAtMs,
      );
  }
  if (situation.laneBusy) return stay(situation, 'a rollout is active here', nowMs + RECHECK_MS);
  return { kind: 'become', status: 'gating', reason: 'asking the gate' };
}

function followRollout({ rollout, nowMs }: PromotionSituation): PromotionMove {
  if (rollout === null) return { kind: 'end', status: 'failed', reason: 'its rollout is not recorded' };
  const { outcome, reason } = rollout;
  if (outcome === null) return { kind: 'stay', reason: 'rolling out', wakeAtMs: nowMs + 60_000 };
  if (outcome === 'succeeded') return { kind: 'end', status: 'succeeded', reason };
  if (outcome === 'rolled-back') return { kind: 'end', status: 'rolled-back', reason };
  if (outcome === 'aborted' || outcome === 'cancelled') return { kind: 'end', status: 'cancelled', reason };
  return { kind: 'end', status: outcome === 'superseded' ? 'superseded' : 'failed', reason };
}

function approved({ environment, approvals, kind }: PromotionSituation): boolean {
  const rule = environment.promotion.approvals;
  return rule === null || kind === 'rollback' || approvals.approved >= rule.count;
}

function approvalReason({ environment, approvals }: PromotionSituation): string {
  const rule = environment.promotion.approvals;
  if (rule === null) return 'no approval is needed';
  return `needs ${rule.count - approvals.approved} more approval(s) from ${rule.from.join(', ')}`;
}

function stay(situation: PromotionSituation, reason: string, wakeAtMs: number): PromotionMove {
  return { kind: 'stay', reason, wakeAtMs: Math.min(wakeAtMs, situation.deadlineMs) };
}
