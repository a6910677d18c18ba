import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { systemClock } from '../../platform/clock.ts';
import { openGit } from '../../platform/git/git.ts';
import type { RequestContext, Route } from '../../platform/http/route.ts';
import { createLogger } from '../../platform/log.ts';
import { testDatabase } from '../../platform/postgres/testing.ts';
import type { SourceDeps } from './deps.ts';

export const SERVICE_YAML = `apiVersion: slipway.dev/v1
kind: Service
name: shop
build:
  image:
    layers:
      - from: [src]
    entrypoint: [node, src/server.js]
`;

/** The stage on a real PostgreSQL and real git, with a plain stand-in for what other stages hand in. */
export async function testSource() {
  const { database, close } = await testDatabase();
  const home = mkdtempSync(join(tmpdir(), 'slipway-source-'));
  const git = await openGit(home);
  let nowMs = 1_800_000_000_000;
  const woken: string[] = [];
  const clock = { nowMs: () => nowMs, random: systemClock.random };
  const deps: SourceDeps = {
    database,
    clock,
    log: createLogger('test', 'silent'),
    git,
    async createRelease(tx, { service, sha, actor, atMs }) {
      const [existing] = await tx.query<{ id: string }>(
        'select id from releases where service = $1 and commit_sha = $2',
        [service, sha],
      );
      if (existing) return existing.id;
      const id = newId('rel', atMs, systemClock.random);
      await tx.query(
        `insert into releases (id, service, number, commit_sha, status, created_by, created_at)
         select $1, $2, coalesce(max(number), 0) + 1, $3, 'queued', $4, $5 from releases where service = $2`,
        [id, service, sha, actor, new Date(atMs)],
      );
      return id;
    },
    wake: async (_, service) => woken.push(service),
    seal: (text, context) => Buffer.from(JSON.stringify([context, text])).toString('base64'),
    unseal(sealed, context) {
      const [bound, text] = JSON.parse(Buffer.from(sealed, 'base64').toString()) as [string, string];
      if (bound !== context) throw new Error('sealed for another row');
      return text;
    },
    testPolicies: () => [],
  };
  return {
    deps,
    woken,
    advance: (ms: number) => {
      nowMs += ms;
    },
    async releases(service = 'shop') {
      const rows = await database.query<{ commit_sha: string }>(
        'select commit_sha from releases where service = $1 order by number',
        [service],
      );
      return rows.map((row) => row.commit_sha);
    },
    async ledger() {
      const rows = await database.query<{ kind: string; body: Buffer }>(
        'select kind, body from ledger_pending order by id',
      );
      return rows.map((row) => ({ kind: row.kind, ...(JSON.parse(row.body.toString()) as object) }));
    },
    async close() {
      await close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Calls an endpoint as the server does: input through its schemas. */
export async function callRoute(
  routes: readonly Route[],
  operationId: string,
  input: { params?: unknown; query?: unknown; body?: unknown } = {},
  over: Partial<RequestContext> = {},
): Promise<Record<string, unknown>> {
  const route = routes.find((one) => one.operationId === operationId);
  if (!route) throw new Error(`no route ${operationId}`);
  const context: RequestContext = {
    principal: { actor: 'token:admin', roles: ['admin'] },
    requestId: 'req_test',
    source: 'test',
    nowMs: 1_800_000_000_000,
    signal: new AbortController().signal,
    headers: {},
    rawBody: null,
    ...over,
  };
  const answer = await route.handle(context, {
    params: route.params ? route.params.parse(input.params) : undefined,
    query: route.query ? route.query.parse(input.query ?? {}) : undefined,
    body: route.body ? route.body.parse(input.body) : undefined,
  });
  return (route.response ? route.response.parse(answer) : answer) as Record<string, unknown>;
}

/** One route behind a real HTTP server: raw body and headers arrive as they do in production. */
export async function serveHooks(routes: readonly Route[], nowMs: () => number) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [, , , forge, service] = (request.url ?? '').split('/');
    try {
      const over = { headers: request.headers, rawBody: Buffer.concat(chunks), nowMs: nowMs() };
      const answer = await callRoute(routes, 'receiveHook', { params: { forge, service } }, over);
      response.writeHead(202).end(JSON.stringify(answer));
    } catch (error) {
      response
        .writeHead(isSlipwayError(error) && error.code === 'unauthenticated' ? 401 : 500)
        .end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
