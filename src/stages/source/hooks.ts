import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import type { SourceDeps } from './deps.ts';
import { hookContext } from './register.ts';
import { deliveryOf, FORGES, type Forge, isSigned } from './signature.ts';
import { findService } from './store.ts';

/** A larger push is left to the next poll. */
const MAX_HOOK_BYTES = 5_242_880;
const KEEP_DELIVERIES_MS = 7 * 86_400_000;
const MAX_PRUNED = 200;

/** Webhooks only wake: whatever a payload says, the repository is asked. */
export function hookRoutes(deps: SourceDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/hooks/:forge/:service',
      operationId: 'receiveHook',
      summary: 'Webhook of a forge: looks at the repository now instead of at the next poll',
      tag: 'source',
      access: 'open',
      params: z.object({ forge: z.enum(FORGES), service: z.string().regex(NAME_PATTERN) }),
      response: z.object({ accepted: z.literal(true), duplicate: z.boolean() }),
      status: 202,
      bodyLimit: MAX_HOOK_BYTES,
      handle: (context, { params }) => receive(deps, context, params),
    }),
  ];
}

async function receive(deps: SourceDeps, context: RequestContext, params: { forge: Forge; service: string }) {
  const { forge, service } = params;
  const body = context.rawBody ?? Buffer.alloc(0);
  const row = await findService(deps.database, service);
  // An unknown service is judged too, against a secret nobody has, and answers the same.
  const secret = row?.hookSecretSealed
    ? await deps.unseal(row.hookSecretSealed, hookContext(service))
    : Buffer.from(deps.clock.random(32)).toString('base64');
  if (!isSigned(forge, secret, context.headers, body, context.nowMs)) {
    throw new SlipwayError('unauthenticated', 'the signature of the webhook does not verify', {
      hint: 'Set the secret shown at registration as the secret of the webhook.',
    });
  }
  const delivery = deliveryOf(forge, context.headers, body);
  const seen = await deps.database.query('select from hook_deliveries where forge = $1 and delivery = $2', [
    forge,
    `${service}/${delivery}`,
  ]);
  if (seen.length > 0) return { accepted: true as const, duplicate: true };
  // Wake first: when we die in between, the forge repeats the delivery and it wakes again.
  await deps.wake('source', service);
  await remember(deps, forge, `${service}/${delivery}`, context.nowMs);
  return { accepted: true as const, duplicate: false };
}

async function remember(deps: SourceDeps, forge: Forge, delivery: string, nowMs: number): Promise<void> {
  await deps.database.query(
    `with pruned as (
       delete from hook_deliveries where (forge, delivery) in
         (select forge, delivery from hook_deliveries where received_at < $4 limit $5)
     )
     insert into hook_deliveries (forge, delivery, received_at) values ($1, $2, $3) on conflict do nothing`,
    [forge, delivery, new Date(nowMs), new Date(nowMs - KEEP_DELIVERIES_MS), MAX_PRUNED],
  );
}
