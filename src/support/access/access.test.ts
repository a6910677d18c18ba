import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { AccessConfig } from '../../kernel/config.ts';
import { isSlipwayError } from '../../kernel/errors.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import type { RequestContext, Route } from '../../platform/http/route.ts';
import { testDatabase } from '../../platform/postgres/testing.ts';
import { BUILTIN_ROLES } from '../config/builtin-roles.ts';
import { append } from '../ledger/append.ts';
import { ensureAdminToken } from './admin.ts';
import { createAuthenticator } from './authenticate.ts';
import { accessRoutes } from './routes.ts';
import { createThrottle } from './throttle.ts';

const { database, close } = await testDatabase();
const home = mkdtempSync(join(tmpdir(), 'slipway-access-'));
after(async () => {
  rmSync(home, { recursive: true, force: true });
  await close();
});

let nowMs = 1_800_000_000_000;
const clock: Clock = { nowMs: () => nowMs, random: systemClock.random };
const access: AccessConfig = {
  roles: BUILTIN_ROLES,
  grants: [{ subject: 'token:team', role: 'viewer', services: ['shop'], environments: ['dev'] }],
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}`, source: '192.0.2.1' });

function setUp() {
  const authenticator = createAuthenticator(database, clock);
  const routes = accessRoutes({ database, clock, authenticator, access: async () => access, append });
  const call = (
    operationId: string,
    input: { params?: unknown; body?: unknown } = {},
    over: Partial<RequestContext> = {},
  ) => {
    const found = routes.find((one) => one.operationId === operationId) as Route;
    const context: RequestContext = {
      principal: { actor: 'token:admin', roles: ['admin'] },
      requestId: 'req',
      source: 'test',
      nowMs,
      signal: new AbortController().signal,
      headers: {},
      rawBody: null,
      ...over,
    };
    const body = found.body ? found.body.parse(input.body) : undefined;
    return found.handle(context, { params: input.params, query: undefined, body }) as Promise<
      Record<string, unknown>
    >;
  };
  return { authenticator, call };
}

test('the admin token: made once with mode 0600, kept, and made anew when lost or unknown', async () => {
  const file = join(home, 'admin-token');
  const [one, two] = await Promise.all([
    ensureAdminToken(database, file, clock, append),
    ensureAdminToken(database, file, clock, append),
  ]);
  assert.equal(one, two, 'two servers that start together agree');
  assert.equal(readFileSync(file, 'utf8').trim(), one);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { authenticator } = setUp();
  assert.deepEqual(await authenticator.authenticate(bearer(one)), { actor: 'token:admin', roles: ['admin'] });

  writeFileSync(file, 'slp_garbage');
  const next = await ensureAdminToken(database, file, clock, append);
  assert.notEqual(next, one);
  authenticator.forget('none');
  nowMs += 5000;
  assert.equal(await authenticator.authenticate(bearer(one)), null, 'the lost one is revoked');
  const kinds = await database.query<{ kind: string }>('select kind from ledger_pending order by id');
  assert.deepEqual(
    kinds.map((row) => row.kind),
    ['token.created', 'token.revoked', 'token.created'],
  );
});

test('a token from creation to revocation; its secret is shown once and stored nowhere', async () => {
  const { authenticator, call } = setUp();
  const created = await call('createToken', { body: { name: 'ci', roles: ['developer'] } });
  const token = created.token as string;
  assert.deepEqual(await authenticator.authenticate(bearer(token)), {
    actor: 'token:ci',
    roles: ['developer'],
  });
  const listed = JSON.stringify(await call('listTokens'));
  const secret = token.slice(-43);
  const stored = JSON.stringify([
    await database.query('select * from tokens'),
    await database.query("select convert_from(body, 'UTF8') from ledger_pending"),
  ]);
  assert.ok(listed.includes('"ci"') && !listed.includes(secret) && !stored.includes(secret));

  const elsewhere = createAuthenticator(database, clock);
  assert.ok(await elsewhere.authenticate(bearer(token)));
  const revoked = await call('revokeToken', { params: { token: created.id } });
  assert.equal(revoked.state, 'revoked');
  assert.equal(await authenticator.authenticate(bearer(token)), null, 'here at once');
  nowMs += 4900;
  assert.equal(await elsewhere.authenticate(bearer(token)), null, 'in every process within 5 s');
  const again = await call('revokeToken', { params: { token: created.id } });
  assert.equal(again.revokedAt, revoked.revokedAt, 'revoking twice changes nothing');
  await assert.rejects(call('revokeToken', { params: { token: 'tok_nope' } }), { code: 'not_found' });
});

test('an expired token ends to the millisecond, cached or not', async () => {
  const { authenticator, call } = setUp();
  const { token } = await call('createToken', { body: { name: 'short', roles: ['viewer'], expiresInS: 60 } });
  nowMs += 59_999;
  assert.ok(await authenticator.authenticate(bearer(token as string)));
  nowMs += 1;
  assert.equal(await authenticator.authenticate(bearer(token as string)), null);
});

test('unknown roles, the reserved name and wrong secrets are refused', async () => {
  const { authenticator, call } = setUp();
  await assert.rejects(call('createToken', { body: { name: 'x', roles: ['root'] } }), {
    code: 'invalid_input',
  });
  await assert.rejects(call('createToken', { body: { name: 'admin' } }), { code: 'invalid_input' });
  const { token } = await call('createToken', { body: { name: 'y' } });
  const text = token as string;
  const flipped = `${text.slice(0, -2)}${text.at(-2) === 'A' ? 'B' : 'A'}${text.at(-1)}`;
  assert.equal(await authenticator.authenticate(bearer(flipped)), null);
  assert.equal(await authenticator.authenticate({ source: 's' }), null);
});

test('guessing is slowed down by source; known-good tokens of that source still pass', async () => {
  const { call } = setUp();
  const throttle = createThrottle({ burst: 20, refillMs: 60_000 });
  const authenticator = createAuthenticator(database, clock, { throttle });
  const { token: known } = await call('createToken', { body: { name: 'known' } });
  const { token: fresh } = await call('createToken', { body: { name: 'fresh' } });
  assert.ok(await authenticator.authenticate(bearer(known as string)));
  for (let i = 0; i < 20; i++) assert.equal(await authenticator.authenticate(bearer(`wrong${i}`)), null);
  await assert.rejects(authenticator.authenticate(bearer('wrong')), (error) => {
    assert.ok(isSlipwayError(error));
    assert.equal(error.code, 'unauthenticated');
    assert.equal(error.facts.retryAfterS, 60);
    return true;
  });
  nowMs += 10_000;
  assert.ok(
    await authenticator.authenticate(bearer(known as string)),
    'no longer cached, and yet let through',
  );
  await assert.rejects(authenticator.authenticate(bearer(fresh as string)), { code: 'unauthenticated' });
  const elsewhere = { ...bearer(fresh as string), source: '192.0.2.2' };
  assert.ok(await authenticator.authenticate(elsewhere), 'others are not hit');
  nowMs += 50_000;
  assert.equal(
    await authenticator.authenticate(bearer('wrong')),
    null,
    'one more try when a minute has passed',
  );
});

test('a throttle keeps a bounded number of sources, and takes a /64 for one', () => {
  const throttle = createThrottle({ burst: 1, refillMs: 1000, maxSources: 3 });
  for (let i = 0; i < 100; i++) throttle.failed(`192.0.2.${i}`, 0);
  assert.equal(throttle.waitMs('192.0.2.0', 0), 0, 'pushed out');
  assert.equal(throttle.waitMs('192.0.2.99', 0), 1000);
  throttle.failed('2001:db8:1:2:3::1', 0);
  assert.equal(throttle.waitMs('2001:db8:1:2:ffff::9', 0), 1000);
  assert.equal(throttle.waitMs('::ffff:192.0.2.99', 0), 1000);
});

test('anyone with a valid token learns who it is and what it may do', async () => {
  const { call } = setUp();
  const { token } = await call('createToken', { body: { name: 'team' } });
  const anonymous = { principal: { actor: 'anonymous', roles: [] } };
  const answer = await call('getMe', {}, { ...anonymous, headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual(answer, {
    actor: 'token:team',
    roles: [],
    verbs: [],
    grants: [{ role: 'viewer', services: ['shop'], environments: ['dev'] }],
  });
  await assert.rejects(call('getMe', {}, anonymous), { code: 'unauthenticated' });
  assert.equal((await call('getMe')).actor, 'token:admin');
});
