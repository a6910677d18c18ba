import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { EnvironmentConfig } from '../../kernel/config.ts';
import type { Decision } from '../../kernel/decision.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import type { RequestContext } from '../../platform/http/route.ts';
import { createLogger } from '../../platform/log.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { append } from '../../support/ledger/append.ts';
import { reconcilePromotion } from './apply.ts';
import { createPromotion } from './create.ts';
import type { PromoteDeps } from './deps.ts';
import { environment, platformOf } from './promote.testing.ts';
import { promoteRoutes } from './routes.ts';
import { type PromotionRow, readPromotion } from './store.ts';

const DIGEST = sha256('image');
const SHA = 'c'.repeat(40);

let db: TestDatabase;
let database: Database;
let nowMs: number;
let environments: EnvironmentConfig[];
let policyHash: Digest;
let outcome: Decision['outcome'];
let gateFailure: unknown;
let gateAsked: number;
let createFailure: unknown;
let woken: string[];
let later: { id: string; atMs: number }[];
const clock: Clock = { nowMs: () => nowMs, random: systemClock.random };

const deps = (): PromoteDeps => ({
  database,
  clock,
  log: createLogger('test', 'silent'),
  platform: async () => platformOf(environments),
  append,
  async wakePromotion(_tx, id) {
    woken.push(id);
  },
  async wakePromotionLater(_tx, id, atMs) {
    later.push({ id, atMs });
  },
  wakeRollouts() {},
  async evaluateGate({ service, environment: place, digest, promotionId }) {
    gateAsked++;
    if (gateFailure !== undefined) throw gateFailure;
    const decision: Decision = {
      id: newId('dec', nowMs, clock.random),
      service,
      environment: place,
      digest,
      outcome,
      policyHash,
      results:
        outcome === 'deny'
          ? [{ policy: 'p', severity: 'block', outcome, reason: 'not signed', missing: [] }]
          : [],
      inputs: {},
      inputsHash: sha256('{}'),
      atMs: nowMs,
    };
    await database.query(
      `insert into decisions (id, service, environment, digest, promotion_id, outcome, policy_hash, results, inputs, inputs_hash, decided_at)
       values ($1, $2, $3, $4, $5, $6, $7, '[]', '{}', $8, $9)`,
      [
        decision.id,
        service,
        place,
        digest,
        promotionId,
        outcome,
        policyHash,
        decision.inputsHash,
        new Date(nowMs),
      ],
    );
    return decision;
  },
  async createRollout(tx, input) {
    if (createFailure !== undefined) throw createFailure;
    await tx.query(`insert into lanes (service, environment) values ($1, $2) on conflict do nothing`, [
      input.service,
      input.environment.name,
    ]);
    await tx.query(
      `insert into rollouts (id, service, environment, promotion_id, release_id, kind, digest, repository, spec, runtime, state, phase, fence, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'shop', $8, '{}', '{}', 'preparing', 1, $9, $9)`,
      [
        input.id,
        input.service,
        input.environment.name,
        input.promotionId,
        input.release.id,
        input.kind,
        input.digest,
        JSON.stringify(input.spec),
        new Date(input.nowMs),
      ],
    );
  },
});

before(async () => {
  db = await testDatabase();
  database = db.database;
});
after(() => db.close());

beforeEach(async () => {
  nowMs = Date.UTC(2026, 0, 1);
  environments = [environment('staging'), environment('prod', { after: 'staging' })];
  policyHash = sha256('policies');
  outcome = 'allow';
  gateFailure = undefined;
  createFailure = undefined;
  gateAsked = 0;
  woken = [];
  later = [];
  await database.query(
    'truncate approvals, rollouts, promotions, decisions, lanes, releases, commits, services, ledger_pending cascade',
  );
  await database.query(
    `insert into services (name, repository_url, branch, created_at) values ('shop', 'file:///none', 'main', now())`,
  );
});

async function release(number = 1, digest = DIGEST): Promise<string> {
  const sha = number === 1 ? SHA : sha256(String(number)).slice(7, 47);
  await database.query(
    `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
     values ('shop', $1, '{}', 'Ann', 'ann@example.org', now(), 'x', 'none', 'refs/heads/main', now())`,
    [sha],
  );
  const config = { name: 'shop', run: { instances: { default: 2 }, strategy: {} } };
  await database.query(
    `insert into releases (id, service, number, commit_sha, status, config, digest, created_by, created_at) values ($1, 'shop', $2, $3, 'built', $4, $5, 'x', now())`,
    [`rel_${number}`, number, sha, JSON.stringify(config), digest],
  );
  return `rel_${number}`;
}

async function open(
  place: string,
  releaseId: string,
  more: { digest?: Digest; kind?: PromotionRow['kind'] } = {},
) {
  const { digest = DIGEST, kind = 'planned' } = more;
  return database.transaction((tx) =>
    createPromotion(deps(), tx, {
      service: 'shop',
      environment: place,
      digest,
      releaseId,
      kind,
      actor: 'token:ann',
      reason: null,
    }),
  );
}

async function look(id: string): Promise<PromotionRow> {
  await reconcilePromotion(deps(), id);
  const row = await readPromotion(database, id);
  assert.ok(row);
  return row;
}

async function endRollout(id: string | null, phase: string): Promise<void> {
  nowMs += 1_000;
  await database.query(
    `update rollouts set outcome = $2, ended_at = $3, reasons = '["so it was"]' where id = $1`,
    [id, phase, new Date(nowMs)],
  );
}

const changes = async (id: string) =>
  (
    await database.query<{ status: string }>(
      `select convert_from(body, 'utf8')::jsonb->'data'->>'status' as status from ledger_pending where subject = $1 and kind = 'promotion.changed' order by id`,
      [id],
    )
  ).map((row) => row.status);

test('a release goes through the gate into a rollout and, once it succeeded, on to the next environment', async () => {
  const id = await open('staging', await release());
  const row = await look(id);
  assert.equal(row.status, 'rolling');
  assert.deepEqual(await changes(id), ['gating', 'rolling']);
  await endRollout(row.rollout_id, 'succeeded');
  assert.equal((await look(id)).status, 'succeeded');
  const [next] = await database.query<PromotionRow>(`select * from promotions where environment = 'prod'`);
  assert.ok(next && woken.includes(next.id));
  assert.equal((await look(next.id)).status, 'rolling');
});

test('a rolled-back release goes nowhere by itself', async () => {
  const id = await open('staging', await release());
  await endRollout((await look(id)).rollout_id, 'rolled-back');
  assert.equal((await look(id)).status, 'rolled-back');
  assert.equal((await database.query('select 1 from promotions')).length, 1);
});

test('a digest turned back in the next environment is not promoted there again by itself', async () => {
  const releaseId = await release();
  await database.query(`insert into lanes (service, environment) values ('shop', 'prod')`);
  await database.query(
    `insert into rollouts (id, service, environment, kind, digest, repository, spec, runtime, state, phase, fence, created_at, updated_at, ended_at, outcome)
     values ('rol_old', 'shop', 'prod', 'planned', $1, 'shop', '{}', '{}', '{}', 'rolled-back', 1, now(), now(), now(), 'rolled-back')`,
    [DIGEST],
  );
  const id = await open('staging', releaseId);
  await endRollout((await look(id)).rollout_id, 'succeeded');
  await look(id);
  assert.equal((await database.query(`select 1 from promotions where environment = 'prod'`)).length, 0);
});

test('opening the same promotion twice, also at once, gives one', async () => {
  const releaseId = await release();
  const ids = await Promise.all([1, 2, 3, 4].map(() => open('staging', releaseId)));
  assert.equal(new Set(ids).size, 1);
  const entries = await database.query(`select 1 from ledger_pending where kind = 'promotion.created'`);
  assert.equal(entries.length, 1);
});

test('two workers at once start one rollout', async () => {
  const id = await open('staging', await release());
  await Promise.all([1, 2, 3].map(() => reconcilePromotion(deps(), id)));
  assert.equal((await database.query('select 1 from rollouts')).length, 1);
  assert.equal((await readPromotion(database, id))?.status, 'rolling');
});

test('denied: it ends with the reason, and nothing is deployed', async () => {
  outcome = 'deny';
  const row = await look(await open('staging', await release()));
  assert.equal(row.status, 'denied');
  assert.match(row.reason ?? '', /not signed/);
  assert.equal((await database.query('select 1 from rollouts')).length, 0);
});

test('a gate that cannot be asked now is asked again; at the deadline it is a no', async () => {
  gateFailure = new SlipwayError('unreachable', 'the registry does not answer');
  const id = await open('staging', await release());
  const row = await look(id);
  assert.equal(row.status, 'gating');
  assert.match(row.reason ?? '', /registry does not answer/);
  assert.deepEqual(later.at(-1), { id, atMs: nowMs + 1_000 });
  nowMs += 3_600_000;
  assert.equal((await look(id)).status, 'expired');
});

test('a gate that fails for good ends the promotion: nothing waits for what cannot come', async () => {
  gateFailure = new SlipwayError('invalid_config', 'a policy does not compile');
  const row = await look(await open('staging', await release()));
  assert.equal(row.status, 'failed');
  assert.match(row.reason ?? '', /does not compile/);
});

test('what nobody foresaw is tried again until the deadline, and ends then', async () => {
  gateFailure = new TypeError('cannot read properties of undefined');
  const id = await open('staging', await release());
  assert.equal((await look(id)).ended_at, null);
  assert.ok((later.at(-1)?.atMs ?? 0) > nowMs);
  await database.query('update promotions set deadline_at = $2 where id = $1', [id, new Date(nowMs)]);
  assert.equal((await look(id)).status, 'expired');
});

test('a strategy that does not exist ends the promotion with that reason', async () => {
  environments = [environment('staging', { strategy: 'no-such' })];
  const row = await look(await open('staging', await release()));
  assert.equal(row.status, 'failed');
  assert.match(row.reason ?? '', /no strategy no-such/);
});

test('the digest that runs already, and a lane taken at the last moment', async () => {
  const releaseId = await release();
  createFailure = new SlipwayError('invalid_state', 'shop in staging runs it already');
  assert.equal((await look(await open('staging', releaseId))).status, 'cancelled');
  createFailure = new SlipwayError('lane_busy', 'a rollout is active');
  const id = await open('staging', releaseId);
  assert.equal((await look(id)).status, 'gating');
  assert.deepEqual(later.at(-1), { id, atMs: nowMs + 1_000 });
  createFailure = undefined;
  assert.equal((await look(id)).status, 'rolling');
});

test('an environment taken out of the platform ends what waits for it and lets go on what rolls in it', async () => {
  const rolling = await open('staging', await release());
  const { rollout_id: rolloutId } = await look(rolling);
  const waiting = await open('prod', 'rel_1');
  environments = [];
  assert.equal((await look(waiting)).status, 'cancelled');
  assert.equal((await look(rolling)).status, 'rolling');
  await endRollout(rolloutId, 'succeeded');
  assert.equal((await look(rolling)).status, 'succeeded');
});

test('a newer release that waits for the lane makes the older one pointless', async () => {
  const older = await open('prod', await release(1));
  const newer = await open('prod', await release(2, sha256('newer')), { digest: sha256('newer') });
  assert.equal((await look(older)).status, 'superseded');
  assert.equal((await look(newer)).status, 'waiting');
});

const rule = { count: 1, from: ['managers'], notAuthor: true };

async function awaiting(): Promise<string> {
  environments = [
    environment('prod', { promotion: { automatic: true, soakS: 0, approvals: rule, deadlineS: 3_600 } }),
  ];
  const id = await open('prod', await release());
  assert.equal((await look(id)).status, 'awaiting-approval');
  return id;
}

async function answer(
  id: string,
  verb: 'approve' | 'reject',
  actor: string,
  member = true,
): Promise<unknown> {
  const routes = promoteRoutes({ ...deps(), rollbackTargets: async () => [], isMember: () => member });
  const found = routes.find((route) => route.operationId === `${verb}Promotion`);
  const context: RequestContext = {
    principal: { actor, roles: [] },
    requestId: 'req',
    source: 'test',
    nowMs,
    signal: new AbortController().signal,
    headers: {},
    rawBody: null,
  };
  return found?.handle(context, { params: { promotion: id }, query: undefined, body: { reason: 'because' } });
}

test('an approval lets it pass, after the gate was asked again', async () => {
  const id = await awaiting();
  await answer(id, 'approve', 'user:bob');
  assert.equal((await look(id)).status, 'rolling');
  assert.equal(gateAsked, 2);
});

test('an approval is void once the policy has changed, and its giver may approve what it is now', async () => {
  const id = await awaiting();
  await answer(id, 'approve', 'user:bob');
  policyHash = sha256('other policies');
  assert.equal((await look(id)).status, 'awaiting-approval');
  assert.equal((await look(id)).status, 'awaiting-approval', 'the old approval stays void');
  await answer(id, 'approve', 'user:bob');
  assert.equal((await look(id)).status, 'rolling');
  const given = await database.query(`select 1 from ledger_pending where kind = 'approval.given'`);
  assert.equal(given.length, 2);
});

test('one person answers once; a refusal ends it; outsiders and the author may not', async () => {
  const id = await awaiting();
  await assert.rejects(answer(id, 'approve', 'user:eve', false), { code: 'forbidden' });
  await assert.rejects(answer(id, 'approve', 'user:ann@example.org'), { code: 'forbidden' });
  await assert.rejects(answer(id, 'approve', 'token:ann'), { code: 'forbidden' });
  await answer(id, 'approve', 'user:bob');
  await assert.rejects(answer(id, 'approve', 'user:bob'), { code: 'conflict' });
  await answer(id, 'reject', 'user:carol');
  const row = await look(id);
  assert.equal(row.status, 'rejected');
  assert.match(row.reason ?? '', /carol/);
  await assert.rejects(answer(id, 'approve', 'user:dave'), { code: 'invalid_state' });
});
