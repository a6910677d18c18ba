import { z } from 'zod';
import type { PlatformConfig } from '../../kernel/config.ts';
import { type Digest, isDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import type { Transaction } from '../../platform/postgres/database.ts';
import { createPromotion, environmentOf, type PromoteDeps } from './apply.ts';
import { bindingOf } from './approvals.ts';
import { type PromotionRow, readApprovals, readPromotion, readRelease } from './store.ts';

export interface PromoteRouteDeps
  extends Pick<PromoteDeps, 'database' | 'clock' | 'append' | 'platform' | 'wakePromotion'> {
  /** The rollout stage's list of versions to go back to. */
  rollbackTargets(
    service: string,
    environment: string,
  ): Promise<{ digest: Digest; releaseId: string; releaseNumber: number; safe: boolean; reason: string }[]>;
  isMember(platform: PlatformConfig, context: RequestContext, groups: readonly string[]): boolean;
}

const promotionView = z.object({
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

type PromotionView = z.infer<typeof promotionView>;

export function promoteRoutes(deps: PromoteRouteDeps): Route[] {
  return [
    list(deps),
    get(deps),
    promote(deps),
    rollback(deps),
    answer(deps, 'approve'),
    answer(deps, 'reject'),
    cancel(deps),
  ];
}

async function view(deps: PromoteRouteDeps, row: PromotionRow): Promise<PromotionView> {
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

async function mustRead(deps: PromoteRouteDeps, id: string): Promise<PromotionRow> {
  const row = await readPromotion(deps.database, id);
  if (row === undefined) throw new SlipwayError('not_found', `there is no promotion ${id}`);
  return row;
}

const promotionParams = z.object({ promotion: z.string().max(64) });

function list(deps: PromoteRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/promotions',
    operationId: 'listPromotions',
    summary: 'Promotions, newest first',
    tag: 'promotions',
    access: { verb: 'read' },
    query: z.object({
      service: z.string().max(63).optional(),
      environment: z.string().max(63).optional(),
      release: z.string().max(64).optional(),
      open: z.enum(['true', 'false']).optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
    }),
    response: z.object({ promotions: z.array(promotionView) }),
    async handle(_context, { query }) {
      const rows = await deps.database.query<PromotionRow>(
        `select * from promotions where ($1::text is null or service = $1) and ($2::text is null or environment = $2)
           and ($3::text is null or release_id = $3) and ($4::boolean is null or (ended_at is null) = $4)
         order by created_at desc, id desc limit $5`,
        [
          query.service ?? null,
          query.environment ?? null,
          query.release ?? null,
          query.open === undefined ? null : query.open === 'true',
          query.limit,
        ],
      );
      return { promotions: await Promise.all(rows.map((row) => view(deps, row))) };
    },
  });
}

function get(deps: PromoteRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/promotions/:promotion',
    operationId: 'getPromotion',
    summary: 'One promotion: what it waits for and why',
    tag: 'promotions',
    access: { verb: 'read' },
    params: promotionParams,
    response: promotionView,
    handle: async (_context, { params }) => view(deps, await mustRead(deps, params.promotion)),
  });
}

/** A built release of the service, by id or number. */
async function findRelease(
  deps: PromoteRouteDeps,
  service: string,
  wanted: string,
): Promise<{ id: string; digest: Digest }> {
  const byNumber = /^\d{1,9}$/.test(wanted) ? Number(wanted) : null;
  const [row] = await deps.database.query<{ id: string; digest: Digest | null; status: string }>(
    'select id, digest, status from releases where service = $1 and (id = $2 or number = $3)',
    [service, wanted, byNumber],
  );
  if (row === undefined)
    throw new SlipwayError('not_found', `${service} has no release ${wanted}`, {
      hint: `see: slipway status ${service}`,
    });
  if (row.digest === null)
    throw new SlipwayError(
      'invalid_state',
      `release ${wanted} of ${service} has no artifact: it is ${row.status}`,
    );
  return { id: row.id, digest: row.digest };
}

/** Any digest may be asked for, also one that no release made: whether it may pass is the gate's to say, and recorded. */
async function findDigest(
  deps: PromoteRouteDeps,
  service: string,
  digest: Digest,
): Promise<{ id: string | null; digest: Digest }> {
  const [known] = await deps.database.query('select 1 from services where name = $1', [service]);
  if (known === undefined) throw new SlipwayError('not_found', `there is no service ${service}`);
  const [row] = await deps.database.query<{ id: string }>(
    'select id from releases where service = $1 and digest = $2 order by number desc limit 1',
    [service, digest],
  );
  return { id: row?.id ?? null, digest };
}

function promote(deps: PromoteRouteDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/services/:service/environments/:environment/promotions',
    operationId: 'promote',
    summary: 'Bring a release to an environment',
    tag: 'promotions',
    access: { verb: 'promote' },
    params: z.object({ service: z.string().max(63), environment: z.string().max(63) }),
    body: z.object({
      release: z.string().min(1).max(64).optional().describe('A release, by id or number'),
      digest: z
        .string()
        .refine(isDigest, 'a sha256 or sha512 digest')
        .optional()
        .describe('Or an image in the registry'),
      kind: z.enum(['planned', 'hotfix']).default('planned'),
      reason: z.string().max(1_000).optional(),
    }),
    response: promotionView,
    status: 201,
    async handle(context, { params, body }) {
      if ((body.release === undefined) === (body.digest === undefined)) {
        throw new SlipwayError('invalid_input', 'give either a release or a digest');
      }
      const release =
        body.release === undefined
          ? await findDigest(deps, params.service, body.digest as Digest)
          : await findRelease(deps, params.service, body.release);
      return open(deps, context, {
        ...params,
        digest: release.digest,
        releaseId: release.id,
        kind: body.kind,
        reason: body.reason ?? null,
      });
    },
  });
}

function rollback(deps: PromoteRouteDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/services/:service/environments/:environment/rollback',
    operationId: 'rollback',
    summary: 'Return to an earlier version; production wants the name typed',
    tag: 'promotions',
    access: { verb: 'operate' },
    params: z.object({ service: z.string().max(63), environment: z.string().max(63) }),
    body: z.object({
      to: z.string().max(80).optional(),
      reason: z.string().min(1).max(1_000),
      confirm: z.string().max(63).optional(),
      unsafe: z.boolean().default(false),
    }),
    response: promotionView,
    status: 201,
    async handle(context, { params, body }) {
      const environment = environmentOf(await deps.platform(), params.environment);
      const targets = await deps.rollbackTargets(params.service, params.environment);
      const wanted = body.to;
      const target =
        wanted === undefined
          ? targets.find((candidate) => candidate.safe)
          : targets.find(
              (t) => t.digest === wanted || t.releaseId === wanted || String(t.releaseNumber) === wanted,
            );
      if (target === undefined) {
        throw new SlipwayError(
          'not_found',
          wanted === undefined
            ? 'there is no version that is safe to return to'
            : `${wanted} never took over here`,
          {
            hint:
              targets.length > 0
                ? `known: ${targets.map((t) => `release ${t.releaseNumber} (${t.reason})`).join('; ')}`
                : 'nothing ran here before',
          },
        );
      }
      if (!target.safe && !body.unsafe)
        throw new SlipwayError(
          'policy_denied',
          `going back to release ${target.releaseNumber} is not safe: ${target.reason}`,
        );
      if (environment.production && body.confirm !== environment.name) {
        throw new SlipwayError(
          'confirmation_required',
          `to roll back in ${environment.name}, type the environment's name`,
          { hint: `--confirm=${environment.name}` },
        );
      }
      return open(deps, context, {
        ...params,
        digest: target.digest,
        releaseId: target.releaseId,
        kind: 'rollback',
        reason: body.reason,
      });
    },
  });
}

async function open(
  deps: PromoteRouteDeps,
  context: RequestContext,
  input: {
    service: string;
    environment: string;
    digest: Digest;
    releaseId: string | null;
    kind: PromotionRow['kind'];
    reason: string | null;
  },
): Promise<PromotionView> {
  environmentOf(await deps.platform(), input.environment);
  const id = await deps.database.transaction((tx) =>
    createPromotion(deps, tx, { ...input, actor: context.principal.actor }),
  );
  return view(deps, await mustRead(deps, id));
}

function answer(deps: PromoteRouteDeps, kind: 'approve' | 'reject'): Route {
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

function cancel(deps: PromoteRouteDeps): Route {
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
