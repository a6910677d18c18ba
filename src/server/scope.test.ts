import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { systemClock } from '../platform/clock.ts';
import { route } from '../platform/http/route.ts';
import { createLogger } from '../platform/log.ts';
import { type TestDatabase, testDatabase } from '../platform/postgres/testing.ts';
import { authorize } from '../support/access/authorize.ts';
import { createApp } from './app.ts';
import { scopeOf } from './scope.ts';

const ACCESS = {
  roles: { operator: ['read', 'operate'] },
  grants: [{ subject: 'token:team', role: 'operator', services: ['shop'], environments: ['staging'] }],
};

let pg: TestDatabase;
let app: FastifyInstance;

before(async () => {
  pg = await testDatabase();
  const { database } = pg;
  await database.query(
    "insert into services values ('shop', 'file:///x', 'main', null, now()), ('bank', 'file:///y', 'main', null, now())",
  );
  for (const [id, service, environment] of [
    ['pro_mine', 'shop', 'staging'],
    ['pro_prod', 'shop', 'prod'],
    ['pro_bank', 'bank', 'staging'],
  ]) {
    await database.query(
      `insert into promotions (id, service, environment, digest, kind, status, requested_by, created_at, status_at, deadline_at)
       values ($1, $2, $3, 'sha256:0', 'planned', 'waiting', 'x', now(), now(), now())`,
      [id, service, environment],
    );
  }
  const act = route({
    method: 'POST',
    path: '/v1/promotions/:promotion/act',
    operationId: 'act',
    summary: 'x',
    tag: 'x',
    access: { verb: 'operate' },
    params: z.object({ promotion: z.string() }),
    handle: async () => ({ done: true }),
  });
  app = createApp({
    database,
    clock: systemClock,
    log: createLogger('test', 'silent'),
    routes: [act],
    allowedHosts: new Set(['localhost']),
    authenticate: async ({ authorization }) => ({ actor: `token:${authorization}`, roles: [] }),
    scopeOf: (params) => scopeOf(database, params),
    authorize: async (principal, verb, scope) => authorize(ACCESS, principal, verb, scope),
  });
});
after(async () => {
  await app.close();
  await pg.close();
});

async function act(id: string): Promise<{ status: number; detail: string | undefined }> {
  const answer = await app.inject({
    method: 'POST',
    url: `/v1/promotions/${id}/act`,
    headers: { host: 'localhost', authorization: 'team' },
  });
  return { status: answer.statusCode, detail: (answer.json() as { detail?: string }).detail };
}

test('a grant for one service and environment reaches what is named by its id there', async () => {
  assert.equal((await act('pro_mine')).status, 200);
});

test('what is elsewhere and what does not exist get the same answer', async () => {
  const refused = { status: 403, detail: 'token:team may not "operate" this' };
  assert.deepEqual(await act('pro_prod'), refused);
  assert.deepEqual(await act('pro_bank'), refused);
  assert.deepEqual(await act('pro_nothing'), refused);
});
