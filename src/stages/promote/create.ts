import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { RolloutKind } from '../../kernel/rollout.ts';
import type { Transaction } from '../../platform/postgres/database.ts';
import type { PromoteDeps } from './deps.ts';
import { environmentOf } from './spec.ts';
import { openPromotion } from './store.ts';

/** Opens a promotion; idempotent while one is open for the same place and digest. Returns its id. */
export async function createPromotion(
  deps: Pick<PromoteDeps, 'append' | 'wakePromotion' | 'clock' | 'platform'>,
  tx: Transaction,
  input: {
    service: string;
    environment: string;
    digest: Digest;
    releaseId: string | null;
    kind: RolloutKind;
    actor: string;
    reason: string | null;
  },
): Promise<string> {
  const nowMs = deps.clock.nowMs();
  const { service, environment, digest, releaseId, kind, actor } = input;
  const config = environmentOf(await deps.platform(), environment);
  const id = newId('pro', nowMs, deps.clock.random);
  const deadline = new Date(nowMs + config.promotion.deadlineS * 1_000);
  const inserted = await tx.query(
    `insert into promotions (id, service, environment, digest, release_id, kind, status, reason, requested_by, created_at, status_at, deadline_at)
     values ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9, $9, $10)
     on conflict (service, environment, digest) where ended_at is null do nothing returning id`,
    [id, service, environment, digest, releaseId, kind, input.reason, actor, new Date(nowMs), deadline],
  );
  if (inserted.length === 0) {
    const open = await openPromotion(tx, service, environment, digest);
    if (open !== null) return open;
    throw new SlipwayError('conflict', 'the open promotion ended at this moment; ask again');
  }
  await deps.append(tx, {
    kind: 'promotion.created',
    atMs: nowMs,
    actor,
    service,
    environment,
    subject: id,
    data: { digest, releaseId, kind, deadline: deadline.toISOString() },
  });
  await deps.wakePromotion(tx, id);
  return id;
}
