import type { EnvironmentConfig, PlatformConfig } from '../../kernel/config.ts';
import type { Decision } from '../../kernel/decision.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { PromotionStatus } from '../../kernel/release.ts';
import { isUniqueViolation, type Queryable, type Transaction } from '../../platform/postgres/database.ts';
import { bindingOf, countApprovals } from './approvals.ts';
import { createPromotion } from './create.ts';
import type { PromoteDeps } from './deps.ts';
import { type PromotionMove, type PromotionSituation, planPromotion } from './plan.ts';
import { configOf, specFor } from './spec.ts';
import {
  laneIsBusy,
  newerWaiting,
  openInLane,
  openPromotion,
  type PromotionRow,
  readApprovals,
  readPromotion,
  readRelease,
  readRolloutEnd,
  succeededAt,
  wasTurnedBack,
} from './store.ts';

/** How long to wait before a retryable failure (registry or data plane away) is tried again. */
const RETRY_MS = 1_000;
/** And one that nobody foresaw. */
const UNFORESEEN_MS = 5_000;
/** Moves in one pass; more than a promotion can need. */
const MOVES = 6;

/** One look at a promotion; takes as many moves as are possible now. Whatever fails, a later look or an end follows. */
export async function reconcilePromotion(deps: PromoteDeps, id: string): Promise<void> {
  try {
    await move(deps, id);
  } catch (error) {
    await endOrRetry(deps, id, error);
  }
}

async function move(deps: PromoteDeps, id: string): Promise<void> {
  let decision: Decision | null = null;
  for (let i = 0; i < MOVES; i++) {
    const promotion = await readPromotion(deps.database, id);
    if (promotion === undefined || promotion.ended_at !== null) return;
    const platform = await deps.platform();
    const environment = platform.environments.find(({ name }) => name === promotion.environment);
    // What rolls is followed to its end; what has not begun has no place to go to.
    if (environment === undefined && promotion.status !== 'rolling') {
      const reason = `${promotion.environment} is no longer an environment of the platform`;
      return endDirectly(deps, promotion, 'cancelled', reason);
    }
    const move = planPromotion(await situationOf(deps, promotion, environment ?? NOWHERE, decision));
    if (move.kind === 'stay') {
      await noteWaiting(deps, promotion, move.reason);
      return deps.wakePromotionLater(deps.database, id, move.wakeAtMs);
    }
    if (move.kind === 'ask-gate') {
      const asked = await askGate(deps, promotion);
      if (asked === null) return;
      decision = asked;
      continue;
    }
    const done = await applyMove(deps, promotion, platform, environment, move, decision);
    if (!done) return deps.wakePromotionLater(deps.database, id, deps.clock.nowMs() + RETRY_MS);
    // Recorded with the move: from here on the row says which policy holds.
    decision = null;
  }
}

/** Stands for the environment of a rollout that goes on after its environment was taken out of the platform. */
const NOWHERE: PromotionSituation['environment'] = {
  after: null,
  promotion: { automatic: false, soakS: 0, approvals: null, deadlineS: 0 },
};

/**
 * A terminal error ends the promotion with its reason: a gate that cannot decide is a no. Another is tried again, and the
 * deadline holds even when no pass comes far enough to see it.
 */
async function endOrRetry(deps: PromoteDeps, id: string, error: unknown): Promise<void> {
  const promotion = await readPromotion(deps.database, id);
  if (promotion === undefined || promotion.ended_at !== null) return;
  const nowMs = deps.clock.nowMs();
  const started = promotion.status === 'rolling';
  const known = isSlipwayError(error);
  if (known && !error.retryable && !started)
    return endDirectly(
      deps,
      promotion,
      'failed',
      error.hint ? `${error.message}; ${error.hint}` : error.message,
    );
  const reason = known ? error.message : 'something failed inside Slipway; the worker log has the details';
  if (!started && nowMs >= promotion.deadline_at.getTime())
    return endDirectly(deps, promotion, 'expired', `nothing let it pass before its deadline: ${reason}`);
  if (!known) deps.log.error({ promotion: id, err: error }, 'a promotion could not be looked at');
  await noteWaiting(deps, promotion, reason);
  await deps.wakePromotionLater(deps.database, id, nowMs + UNFORESEEN_MS);
}

async function situationOf(
  deps: PromoteDeps,
  promotion: PromotionRow,
  environment: PromotionSituation['environment'],
  decision: Decision | null,
): Promise<PromotionSituation> {
  const { database } = deps;
  const { service, digest, rollout_id: rolloutId } = promotion;
  const before =
    environment.after === null ? null : await succeededAt(database, service, environment.after, digest);
  const end = rolloutId === null ? undefined : await readRolloutEnd(database, rolloutId);
  const release =
    promotion.release_id === null ? undefined : await readRelease(database, promotion.release_id);
  const binding = bindingOf(
    promotion,
    release,
    decision?.policyHash ?? (await policyHashOf(database, promotion)),
  );
  return {
    nowMs: deps.clock.nowMs(),
    status: promotion.status,
    kind: promotion.kind,
    deadlineMs: promotion.deadline_at.getTime(),
    environment,
    succeededBeforeMs: before?.getTime() ?? null,
    newerWaiting: await newerWaiting(database, promotion),
    laneBusy:
      promotion.status === 'rolling' ? false : await laneIsBusy(database, service, promotion.environment),
    decision: decision === null ? null : { outcome: decision.outcome, reason: headline(decision) },
    approvals: countApprovals(await readApprovals(database, promotion.id), binding),
    rollout: end === undefined ? null : { outcome: end.outcome, reason: end.reasons[0] ?? '' },
  };
}

/** The policy of the last decision on this promotion: what an approver saw. */
async function policyHashOf(database: Queryable, promotion: PromotionRow): Promise<string> {
  if (promotion.decision_id === null) return '';
  const [row] = await database.query<{ policy_hash: string }>(
    'select policy_hash from decisions where id = $1',
    [promotion.decision_id],
  );
  return row?.policy_hash ?? '';
}

function headline(decision: Decision): string {
  const bad = decision.results.filter((result) => result.outcome !== 'allow');
  return bad.length === 0
    ? 'every policy allows it'
    : bad.map((result) => `${result.policy}: ${result.reason}`).join('; ');
}

/** null: try later. A retryable failure is never a yes, and the deadline ends the trying. */
async function askGate(deps: PromoteDeps, promotion: PromotionRow): Promise<Decision | null> {
  const { service, environment, digest } = promotion;
  try {
    const repository = await repositoryOf(deps.database, promotion);
    return await deps.evaluateGate({
      service,
      environment,
      digest,
      repository,
      promotionId: promotion.id,
      releaseId: promotion.release_id,
    });
  } catch (error) {
    if (!isSlipwayError(error) || !error.retryable) throw error;
    await noteWaiting(deps, promotion, `the gate cannot be asked now: ${error.message}`);
    await deps.wakePromotionLater(deps.database, promotion.id, deps.clock.nowMs() + RETRY_MS);
    return null;
  }
}

async function repositoryOf(database: Queryable, promotion: PromotionRow): Promise<string> {
  const [row] = await database.query<{ repository: string }>(
    'select repository from artifacts where digest = $1',
    [promotion.digest],
  );
  return row?.repository ?? promotion.service;
}

/** Applies a move by compare-and-swap on the generation; false when it has to be tried again. */
async function applyMove(
  deps: PromoteDeps,
  promotion: PromotionRow,
  platform: PlatformConfig,
  environment: EnvironmentConfig | undefined,
  move: Exclude<PromotionMove, { kind: 'stay' | 'ask-gate' }>,
  decision: Decision | null,
): Promise<boolean> {
  const nowMs = deps.clock.nowMs();
  try {
    await deps.database.transaction(async (tx) => {
      const rolloutId =
        move.kind === 'start-rollout' ? newId('rol', nowMs, deps.clock.random) : promotion.rollout_id;
      const status = move.kind === 'start-rollout' ? 'rolling' : move.status;
      const ended = move.kind === 'end';
      if (
        !(await swap(tx, promotion, {
          status,
          reason: move.reason,
          rolloutId,
          decisionId: decision?.id ?? promotion.decision_id,
          ended,
          nowMs,
        }))
      )
        return;
      if (move.kind === 'start-rollout' && rolloutId && environment)
        await startRollout(deps, tx, promotion, platform, environment, rolloutId, nowMs);
      const { id, service, digest } = promotion;
      const data = {
        digest,
        from: promotion.status,
        status,
        reason: move.reason,
        rolloutId,
        decisionId: decision?.id ?? promotion.decision_id,
      };
      await deps.append(tx, {
        kind: 'promotion.changed',
        atMs: nowMs,
        actor: 'system:worker',
        service,
        environment: promotion.environment,
        subject: id,
        data,
      });
      if (ended) await afterEnd(deps, tx, promotion, platform, status);
    });
  } catch (error) {
    if (isSlipwayError(error) && error.code === 'lane_busy') return false;
    if (isUniqueViolation(error, 'rollouts_one_active_per_lane')) return false;
    if (isSlipwayError(error) && error.code === 'invalid_state') {
      await endDirectly(deps, promotion, 'cancelled', error.message);
      return true;
    }
    throw error;
  }
  if (move.kind === 'start-rollout') deps.wakeRollouts();
  return true;
}

interface Swap {
  status: PromotionStatus;
  reason: string;
  rolloutId: string | null;
  decisionId: string | null;
  ended: boolean;
  nowMs: number;
}

async function swap(tx: Queryable, promotion: PromotionRow, to: Swap): Promise<boolean> {
  const now = new Date(to.nowMs);
  const rows = await tx.query(
    `update promotions set status = $3, reason = $4, rollout_id = $5, decision_id = $6, status_at = $7,
       ended_at = case when $8 then $7::timestamptz end, generation = generation + 1
     where id = $1 and generation = $2 and ended_at is null returning id`,
    [promotion.id, promotion.generation, to.status, to.reason, to.rolloutId, to.decisionId, now, to.ended],
  );
  return rows.length > 0;
}

async function endDirectly(
  deps: PromoteDeps,
  promotion: PromotionRow,
  status: PromotionStatus,
  reason: string,
): Promise<void> {
  const nowMs = deps.clock.nowMs();
  await deps.database.transaction(async (tx) => {
    if (
      !(await swap(tx, promotion, {
        status,
        reason,
        rolloutId: promotion.rollout_id,
        decisionId: promotion.decision_id,
        ended: true,
        nowMs,
      }))
    )
      return;
    const { id, service, environment, digest } = promotion;
    await deps.append(tx, {
      kind: 'promotion.changed',
      atMs: nowMs,
      actor: 'system:worker',
      service,
      environment,
      subject: id,
      data: { digest, status, reason },
    });
  });
}

async function startRollout(
  deps: PromoteDeps,
  tx: Transaction,
  promotion: PromotionRow,
  platform: PlatformConfig,
  environment: EnvironmentConfig,
  rolloutId: string,
  nowMs: number,
): Promise<void> {
  const release = promotion.release_id === null ? undefined : await readRelease(tx, promotion.release_id);
  if (release === undefined || release.config === null)
    throw new SlipwayError('invalid_state', 'the release has no configuration');
  await deps.createRollout(tx, {
    id: rolloutId,
    service: promotion.service,
    environment,
    kind: promotion.kind,
    digest: promotion.digest,
    repository: await repositoryOf(tx, promotion),
    release: { id: release.id, config: release.config },
    promotionId: promotion.id,
    spec: specFor(platform, environment, release.config, promotion.kind),
    configOf: async (releaseId) => configOf(await readRelease(tx, releaseId)),
    actor: promotion.requested_by,
    nowMs,
  });
}

/** The next environments that take it by themselves, and whoever waited for this lane. */
async function afterEnd(
  deps: PromoteDeps,
  tx: Transaction,
  promotion: PromotionRow,
  platform: PlatformConfig,
  status: PromotionStatus,
): Promise<void> {
  const { service, digest, release_id: releaseId, kind } = promotion;
  for (const waiting of await openInLane(tx, service, promotion.environment))
    await deps.wakePromotion(tx, waiting);
  if (status !== 'succeeded' || releaseId === null || kind === 'rollback') return;
  for (const next of platform.environments.filter(
    (environment) => environment.after === promotion.environment,
  )) {
    const open = await openPromotion(tx, service, next.name, digest);
    if (open !== null) await deps.wakePromotion(tx, open);
    else if (next.promotion.automatic && !(await wasTurnedBack(tx, service, next.name, digest))) {
      const reason = `succeeded in ${promotion.environment}`;
      await createPromotion(deps, tx, {
        service,
        environment: next.name,
        digest,
        releaseId,
        kind,
        actor: `policy:${next.name}`,
        reason,
      });
    }
  }
}

/** Says why it waits, for people; not an entry, as nothing was decided. */
async function noteWaiting(deps: PromoteDeps, promotion: PromotionRow, reason: string): Promise<void> {
  if (promotion.reason === reason) return;
  await deps.database.query('update promotions set reason = $2 where id = $1 and ended_at is null', [
    promotion.id,
    reason,
  ]);
}
