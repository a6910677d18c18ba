import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import type { Transaction } from '../../platform/postgres/database.ts';
import { bindingOf } from './approvals.ts';
import { environmentOf } from './spec.ts';
import { type PromotionRow, readRelease } from './store.ts';
import { mustRead, type PromoteRouteDeps, promotionParams, promotionView, view } from './view.ts';

export function answer(deps: PromoteRouteDeps, kind: 'approve' | 'reject'): Route {
  return route({
    method: 'POST',
    path: `/v1/promotions/:promotion/${kind}`,
    operationId: `${kind}Promotion`,
    summary:
      kind === 'approve'
        ? 'Say yes to exactly this commit, digest, environment and policy'
        : 'Say no; the promotion ends',
    tag: 'promotions',
    access: { verb: 'approve' },
    params: promotionParams,
    body: z.object({ reason: z.string().max(1_000).default('') }),
    response: promotionView,
    async handle(context, { params, body }) {
      const row = await mustRead(deps, params.promotion);
      if (row.ended_at !== null)
        throw new SlipwayError('invalid_state', `the promotion has ended: ${row.status}`);
      if (row.status !== 'awaiting-approval')
        throw new SlipwayError('invalid_state', `the promotion waits for nobody's approval: ${row.status}`);
      if (kind === 'approve') await mayApprove(deps, context, row);
      await deps.database.transaction((tx) => recordAnswer(deps, tx, context, row, kind, body.reason));
      return view(deps, await mustRead(deps, params.promotion));
    },
  });
}

async function mayApprove(deps: PromoteRouteDeps, context: RequestContext, row: PromotionRow): Promise<void> {
  const platform = await deps.platform();
  const rule = environmentOf(platform, row.environment).promotion.approvals;
  if (rule === null) return;
  if (!deps.isMember(platform, context, rule.from))
    throw new SlipwayError('forbidden', `an approval must come from ${rule.from.join(' or ')}`);
  if (!rule.notAuthor) return;
  const release = row.release_id === null ? undefined : await readRelease(deps.database, row.release_id);
  const [commit] = await deps.database.query<{ author_email: string }>(
    'select author_email from commits where service = $1 and sha = $2',
    [row.service, release?.commit_sha ?? ''],
  );
  const own = [row.requested_by, `token:${commit?.author_email ?? ''}`, `user:${commit?.author_email ?? ''}`];
  if (own.includes(context.principal.actor))
    throw new SlipwayError('forbidden', 'the author or requester may not approve their own change');
}

async function recordAnswer(
  deps: PromoteRouteDeps,
  tx: Transaction,
  context: RequestContext,
  row: PromotionRow,
  kind: 'approve' | 'reject',
  reason: string,
): Promise<void> {
  const release = row.release_id === null ? undefined : await readRelease(tx, row.release_id);
  const [decision] = await tx.query<{ policy_hash: string }>(
    'select policy_hash from decisions where id = $1',
    [row.decision_id],
  );
  const binding = bindingOf(row, release, decision?.policy_hash ?? '');
  const { actor } = context.principal;
  // One answer of each person counts; one that a change has voided makes room for a new one.
  const id = newId('apr', context.nowMs, deps.clock.random);
  const given = await tx.query(
    `insert into approvals (id, promotion_id, actor, answer, reason, binding, given_at) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (promotion_id, actor) do update
       set id = excluded.id, answer = excluded.answer, reason = excluded.reason, binding = excluded.binding, given_at = excluded.given_at
       where approvals.binding <> excluded.binding
     returning id`,
    [id, row.id, actor, kind, reason, binding, new Date(context.nowMs)],
  );
  if (given.length === 0) throw new SlipwayError('conflict', `${actor} has answered already`);
  const entry = kind === 'approve' ? ('approval.given' as const) : ('approval.refused' as const);
  const { service, environment, digest } = row;
  await deps.append(tx, {
    kind: entry,
    atMs: context.nowMs,
    actor,
    service,
    environment,
    subject: row.id,
    data: { digest, binding, reason },
  });
  await deps.wakePromotion(tx, row.id);
}

export function cancel(deps: PromoteRouteDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/promotions/:promotion/cancel',
    operationId: 'cancelPromotion',
    summary: 'End a promotion that has not started to roll',
    tag: 'promotions',
    access: { verb: 'promote' },
    params: promotionParams,
    body: z.object({ reason: z.string().min(1).max(1_000) }),
    response: promotionView,
    async handle(context, { params, body }) {
      const row = await mustRead(deps, params.promotion);
      await deps.database.transaction(async (tx) => {
        const rows = await tx.query(
          `update promotions set status = 'cancelled', reason = $2, status_at = $3, ended_at = $3, generation = generation + 1
           where id = $1 and ended_at is null and status <> 'rolling' returning id`,
          [row.id, body.reason, new Date(context.nowMs)],
        );
        if (rows.length === 0)
          throw new SlipwayError('invalid_state', `a promotion that is ${row.status} cannot be cancelled`, {
            hint: 'abort its rollout instead',
          });
        const { service, environment, digest } = row;
        await deps.append(tx, {
          kind: 'promotion.changed',
          atMs: context.nowMs,
          actor: context.principal.actor,
          service,
          environment,
          subject: row.id,
          data: { digest, from: row.status, status: 'cancelled', reason: body.reason },
        });
      });
      return view(deps, await mustRead(deps, params.promotion));
    },
  });
}
