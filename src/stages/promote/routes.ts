import { z } from 'zod';
import { type Digest, isDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import { answer, cancel } from './answer-routes.ts';
import { createPromotion } from './create.ts';
import { environmentOf } from './spec.ts';
import type { PromotionRow } from './store.ts';
import {
  mustRead,
  type PromoteRouteDeps,
  type PromotionView,
  promotionParams,
  promotionView,
  view,
} from './view.ts';

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
