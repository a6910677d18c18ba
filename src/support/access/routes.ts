import { z } from 'zod';
import type { AccessConfig } from '../../kernel/config.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { isId } from '../../kernel/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { ADMIN_TOKEN_NAME } from './admin.ts';
import type { Authenticator } from './authenticate.ts';
import { verbsOf } from './authorize.ts';
import type { AppendEntry } from './entry.ts';
import { findToken, insertToken, listTokens, revokeToken, type TokenRow } from './store.ts';
import { mintToken } from './token.ts';

export interface AccessDeps {
  database: Database;
  clock: Clock;
  authenticator: Authenticator;
  /** Access as code, as it is now. */
  access(): Promise<AccessConfig>;
  append: AppendEntry;
}

const MAX_LISTED = 1000;
const DAY_S = 86_400;

const tokenShape = z.object({
  id: z.string(),
  name: z.string(),
  roles: z.array(z.string()),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  state: z.enum(['active', 'expired', 'revoked']),
});

const newToken = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/, {
      error: 'expected letters, digits and "._@+-", at most 100',
    })
    .describe('Who or what uses it; the ledger says token:<name>'),
  roles: z
    .array(z.string().max(63))
    .max(20)
    .default([])
    .describe('Roles it has everywhere; grants of the access document come on top'),
  expiresInS: z
    .int()
    .min(60)
    .max(3650 * DAY_S)
    .nullable()
    .default(90 * DAY_S)
    .describe('Seconds until it expires; null for never; 90 days by default'),
});

export function accessRoutes(deps: AccessDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/me',
      operationId: 'getMe',
      summary: 'Who the caller is and what it may do',
      tag: 'access',
      // Every valid token may ask this, also one whose grants cover a single service.
      access: 'open',
      response: z.object({
        actor: z.string(),
        roles: z.array(z.string()),
        verbs: z.array(z.string()).describe('What it may do everywhere'),
        grants: z.array(
          z.object({ role: z.string(), services: z.array(z.string()), environments: z.array(z.string()) }),
        ),
      }),
      handle: (context) => me(deps, context),
    }),
    route({
      method: 'GET',
      path: '/v1/tokens',
      operationId: 'listTokens',
      summary: 'All tokens, without their secrets',
      tag: 'access',
      access: { verb: 'administer' },
      response: z.object({ tokens: z.array(tokenShape) }),
      async handle(context) {
        const rows = await listTokens(deps.database, MAX_LISTED);
        return { tokens: rows.map((row) => present(row, context.nowMs)) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tokens',
      operationId: 'createToken',
      summary: 'Create a token; its secret is in this answer and nowhere else',
      tag: 'access',
      access: { verb: 'administer' },
      body: newToken,
      response: tokenShape.extend({ token: z.string() }),
      status: 201,
      handle: (context, { body }) => create(deps, context, body),
    }),
    route({
      method: 'DELETE',
      path: '/v1/tokens/:token',
      operationId: 'revokeToken',
      summary: 'Revoke a token; it stops working within 5 seconds',
      tag: 'access',
      access: { verb: 'administer' },
      params: z.strictObject({ token: z.string().max(64) }),
      response: tokenShape,
      handle: (context, { params }) => revoke(deps, context, params.token),
    }),
  ];
}

async function me(deps: AccessDeps, context: RequestContext) {
  const { authorization, cookie } = context.headers;
  // On an open route the server may leave the caller anonymous.
  const principal = context.principal.actor.startsWith('token:')
    ? context.principal
    : await deps.authenticator.authenticate({
        authorization: single(authorization),
        cookie: single(cookie),
        source: 'GET /v1/me',
      });
  if (!principal) {
    throw new SlipwayError('unauthenticated', 'this needs a token', {
      hint: 'Send "Authorization: Bearer slp_…".',
    });
  }
  const access = await deps.access();
  const grants = access.grants.filter((grant) => grant.subject === principal.actor);
  return {
    actor: principal.actor,
    roles: [...principal.roles],
    verbs: [...new Set(principal.roles.flatMap((role) => verbsOf(access, role)))].sort(),
    grants: grants.map(({ role, services, environments }) => ({
      role,
      services: [...services],
      environments: [...environments],
    })),
  };
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

async function create(deps: AccessDeps, context: RequestContext, body: z.infer<typeof newToken>) {
  if (body.name === ADMIN_TOKEN_NAME) {
    throw new SlipwayError('invalid_input', 'the name "admin" belongs to the local administrator', {
      hint: 'Choose another name, and give the role admin.',
    });
  }
  const access = await deps.access();
  const known = ['admin', ...Object.keys(access.roles)];
  const unknown = body.roles.find((role) => !known.includes(role));
  if (unknown !== undefined) {
    throw new SlipwayError('invalid_input', `there is no role "${unknown}"`, {
      hint: `Roles: ${[...new Set(known)].join(', ')}.`,
    });
  }
  const atMs = context.nowMs;
  const minted = mintToken(deps.clock);
  const row: TokenRow = {
    id: minted.id,
    name: body.name,
    roles: [...new Set(body.roles)],
    createdAtMs: atMs,
    expiresAtMs: body.expiresInS === null ? null : atMs + body.expiresInS * 1000,
    revokedAtMs: null,
  };
  const shown = present(row, atMs);
  await deps.database.transaction(async (tx) => {
    await insertToken(tx, { ...row, secretHash: minted.secretHash });
    const data = { name: row.name, roles: row.roles, expiresAt: shown.expiresAt };
    const actor = context.principal.actor;
    await deps.append(tx, { kind: 'token.created', atMs, actor, subject: row.id, data });
  });
  return { ...shown, token: minted.token };
}

async function revoke(deps: AccessDeps, context: RequestContext, id: string) {
  const atMs = context.nowMs;
  const row = await deps.database.transaction(async (tx) => {
    const found = isId(id, 'tok') ? await findToken(tx, id) : null;
    if (!found) throw new SlipwayError('not_found', 'there is no such token');
    if (await revokeToken(tx, id, atMs)) {
      const actor = context.principal.actor;
      await deps.append(tx, { kind: 'token.revoked', atMs, actor, subject: id, data: { name: found.name } });
      return { ...found, revokedAtMs: atMs };
    }
    return found;
  });
  deps.authenticator.forget(id);
  return present(row, atMs);
}

function present(row: TokenRow, nowMs: number): z.infer<typeof tokenShape> {
  const expired = row.expiresAtMs !== null && row.expiresAtMs <= nowMs;
  return {
    id: row.id,
    name: row.name,
    roles: row.roles,
    createdAt: new Date(row.createdAtMs).toISOString(),
    expiresAt: row.expiresAtMs === null ? null : new Date(row.expiresAtMs).toISOString(),
    revokedAt: row.revokedAtMs === null ? null : new Date(row.revokedAtMs).toISOString(),
    state: row.revokedAtMs !== null ? 'revoked' : expired ? 'expired' : 'active',
  };
}
