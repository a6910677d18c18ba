import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { EnvironmentConfig, PlatformConfig, PolicyConfig } from '../../kernel/config.ts';
import type { Decision } from '../../kernel/decision.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Evidence, PREDICATES } from '../../kernel/evidence.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { append } from '../../support/ledger/append.ts';
import { evaluateGate, type GateDeps, type GateRequest, reverify } from './apply.ts';
import { dryRun } from './dry-run.ts';
import { policy } from './facts.testing.ts';
import { gateRoutes } from './routes.ts';

const COMMIT = 'c'.repeat(40);
const MANIFEST = Buffer.from('{"config":{"size":10},"layers":[{"size":100},{"size":1000}]}');
const DIGEST = sha256(MANIFEST);

let db: TestDatabase;
let database: Database;
let nowMs: number;
let policies: PolicyConfig[];
let evidence: Evidence[];
let failure: unknown;
let signed: Decision[];
let signFailure: unknown;

/** Time passes, so that ids tell what came last. */
const clock: Clock = { nowMs: () => nowMs++, random: systemClock.random };

function environment(name: string, more: Partial<EnvironmentConfig> = {}): EnvironmentConfig {
  return {
    name,
    after: null,
    production: name === 'prod',
    policies: policies.map((one) => one.name),
    promotion: { automatic: true, soakS: 0, approvals: null, deadlineS: 3_600 },
    strategy: 'canary-standard',
    target: { kind: 'process' },
    listenPort: null,
    env: {},
    ...more,
  };
}

const deps = (more: Partial<GateDeps> = {}): GateDeps => ({
  database,
  clock,
  platform: async () =>
    ({
      environments: [environment('staging'), environment('prod')],
      strategies: [],
      policies,
      access: { roles: {}, grants: [] },
    }) satisfies PlatformConfig,
  registry: {
    async getManifest(_, reference) {
      if (reference !== DIGEST) throw new SlipwayError('image_missing', `no manifest ${reference}`);
      return { mediaType: MEDIA.imageManifest, digest: DIGEST, bytes: MANIFEST };
    },
  },
  async collectEvidence() {
    if (failure !== undefined) throw failure;
    return evidence;
  },
  append,
  async signDecision(decision) {
    if (signFailure !== undefined) throw signFailure;
    signed.push(decision);
  },
  ...more,
});

const request = (more: Partial<GateRequest> = {}): GateRequest => ({
  service: 'shop',
  environment: 'prod',
  digest: DIGEST,
  repository: 'shop',
  promotionId: 'pro_1',
  releaseId: 'rel_1',
  ...more,
});

const tests = (failed: number, more: Partial<Evidence> = {}): Evidence => ({
  kind: 'test',
  predicateType: PREDICATES.test,
  referrer: DIGEST,
  verified: true,
  problem: null,
  key: 'build',
  ledgerIndex: 0,
  predicate: {
    result: failed > 0 ? 'FAILED' : 'PASSED',
    passedTests: ['a'],
    failedTests: failed > 0 ? ['b'] : [],
  },
  ...more,
});

before(async () => {
  db = await testDatabase();
  database = db.database;
  await database.query(
    `insert into services values ('shop', 'file:///shop', 'main', null, now(), null, null)`,
  );
  await database.query(
    `insert into commits values ('shop', $1, '{}', 'Ada', 'ada@shop.example', '2026-03-02T09:12:00Z', 'Storefront', 'good', 'main', now())`,
    [COMMIT],
  );
  await database.query(
    `insert into releases (id, service, number, commit_sha, status, created_by, created_at)
     values ('rel_1', 'shop', 7, $1, 'built', 'token:admin', now())`,
    [COMMIT],
  );
});
after(() => db.close());

beforeEach(async () => {
  await database.query('truncate decisions, ledger_pending, rollouts, lanes, promotions cascade');
  await database.query(
    `insert into promotions (id, service, environment, digest, release_id, kind, status, requested_by, created_at, status_at, deadline_at)
     values ('pro_1', 'shop', 'prod', $1, 'rel_1', 'planned', 'gating', 'token:admin', now(), now(), now())`,
    [DIGEST],
  );
  nowMs = Date.parse('2026-03-10T12:00:00Z');
  policies = [policy('evidence.test.verified && evidence.test.failed == 0', { name: 'tests' })];
  evidence = [tests(0)];
  failure = undefined;
  signFailure = undefined;
  signed = [];
});

const count = async (table: 'decisions' | 'ledger_pending') =>
  (await database.query<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n;

const finished = async (environmentName: string, outcome: string) => {
  await database.query(
    `insert into lanes (service, environment) values ('shop', $1) on conflict do nothing`,
    [environmentName],
  );
  await database.query(
    `insert into rollouts (id, service, environment, kind, digest, repository, spec, runtime, state, phase, fence, created_at, updated_at, ended_at, outcome)
     values ('rol_' || md5(random()::text), 'shop', $1, 'planned', $2, 'shop', '{}', '{}', '{}', $3, 1, now(), now(), now(), $3)`,
    [environmentName, DIGEST, outcome],
  );
};

test('an allow is recorded with its facts, in the ledger, and signed', async () => {
  await finished('staging', 'succeeded');
  const decision = await evaluateGate(deps(), request());
  assert.equal(decision.outcome, 'allow');
  assert.deepEqual(signed, [decision]);
  const inputs = decision.inputs as Record<string, Record<string, unknown>>;
  assert.deepEqual(inputs.artifact, {
    digest: DIGEST,
    repository: 'shop',
    mediaType: MEDIA.imageManifest,
    sizeBytes: MANIFEST.length + 1_110,
  });
  assert.deepEqual(inputs.commit, {
    sha: COMMIT,
    author: 'Ada',
    signature: 'good',
    committedAt: '2026-03-02T09:12:00.000Z',
    message: 'Storefront',
  });
  assert.deepEqual(inputs.history, { succeededIn: ['staging'], rolledBackHere: false });
  assert.deepEqual(inputs.release, { number: 7 });
  const [entry] = await database.query<{ kind: string; subject: string; body: Buffer }>(
    'select kind, subject, body from ledger_pending',
  );
  const body = JSON.parse(String(entry?.body)) as { data: Record<string, unknown> };
  assert.deepEqual([entry?.kind, entry?.subject], ['gate.decided', DIGEST]);
  assert.equal(body.data.decision, decision.id);
  assert.equal(body.data.inputsHash, decision.inputsHash);
});

test('asked again it gives the same decision; another answer is another decision', async () => {
  const first = await evaluateGate(deps(), request());
  nowMs += 60_000;
  const second = await evaluateGate(deps(), request());
  assert.equal(second.id, first.id);
  assert.deepEqual([await count('decisions'), await count('ledger_pending'), signed.length], [1, 1, 2]);
  evidence = [tests(0), tests(1)];
  const third = await evaluateGate(deps(), request());
  assert.equal(third.outcome, 'deny');
  assert.equal(await count('decisions'), 2);
  policies = [...policies, policy('true', { name: 'more' })];
  evidence = [tests(0)];
  assert.notEqual((await evaluateGate(deps(), request())).policyHash, first.policyHash);
  assert.equal(await count('decisions'), 3);
});

test('two workers at once write one decision', async () => {
  const decisions = await Promise.all(Array.from({ length: 8 }, () => evaluateGate(deps(), request())));
  assert.equal(new Set(decisions.map(({ id }) => id)).size, 1);
  assert.deepEqual([await count('decisions'), await count('ledger_pending')], [1, 1]);
});

test('what is known to be wrong is a deny with its reason', async () => {
  const missing = await evaluateGate(deps(), request({ digest: `sha256:${'f'.repeat(64)}` as Digest }));
  assert.equal(missing.outcome, 'deny');
  assert.match(missing.results[0]?.reason ?? '', /not in the registry/);
  evidence = [tests(0, { verified: false, problem: 'the statement is about another artifact' })];
  const forged = await evaluateGate(deps(), request());
  assert.equal(forged.outcome, 'deny');
  assert.deepEqual(forged.results[0]?.missing, ['evidence.test']);
  assert.match(forged.results[0]?.reason ?? '', /about another artifact/);
  evidence = Array.from({ length: 501 }, () => tests(0));
  assert.match((await evaluateGate(deps(), request())).results[0]?.reason ?? '', /referrers/);
  failure = new SlipwayError('tampered', 'bytes\0differ');
  assert.match((await evaluateGate(deps(), request())).results[0]?.reason ?? '', /tampered: bytes.differ/);
});

test('what is not known is a retryable error and leaves nothing behind', async () => {
  for (const cause of [
    new SlipwayError('unreachable', 'no registry'),
    new SlipwayError('timeout', 'slow'),
    new TypeError('a mistake'),
    'thrown text',
  ]) {
    failure = cause;
    await assert.rejects(
      evaluateGate(deps(), request()),
      (error) => error instanceof SlipwayError && error.retryable,
    );
  }
  const broken = deps({ append: () => Promise.reject(new SlipwayError('internal', 'no ledger')) });
  failure = undefined;
  await assert.rejects(evaluateGate(broken, request()), { code: 'internal' });
  assert.deepEqual([await count('decisions'), await count('ledger_pending'), signed.length], [0, 0, 0]);
  await assert.rejects(evaluateGate(deps(), request({ environment: 'nowhere' })), { code: 'not_found' });
});

test('an allow that cannot be signed is not given out; the next call signs what was recorded', async () => {
  signFailure = new SlipwayError('timeout', 'the ledger sleeps');
  await assert.rejects(evaluateGate(deps(), request()), { code: 'timeout' });
  signFailure = new SlipwayError('key_unknown', 'no gate key');
  await assert.rejects(evaluateGate(deps(), request()), { code: 'key_unknown' });
  evidence = [];
  assert.equal((await evaluateGate(deps(), request({ promotionId: null }))).outcome, 'deny');
  signFailure = undefined;
  evidence = [tests(0)];
  const decision = await evaluateGate(deps(), request());
  assert.deepEqual(signed, [decision]);
  assert.equal(await count('decisions'), 2);
});

test('a policy that is named but not there denies', async () => {
  const platform = await deps().platform();
  const environments = [environment('prod', { policies: ['tests', 'gone'] })];
  const decision = await evaluateGate(
    deps({ platform: async () => ({ ...platform, environments }) }),
    request(),
  );
  assert.deepEqual(
    decision.results.map(({ policy: name, outcome }) => [name, outcome]),
    [
      ['tests', 'allow'],
      ['gone', 'deny'],
    ],
  );
});

test('a digest that was rolled back here is known to have been', async () => {
  await finished('staging', 'rolled-back');
  policies = [policy('!history.rolledBackHere', { name: 'not-rolled-back' })];
  assert.equal((await evaluateGate(deps(), request())).outcome, 'allow');
  await finished('prod', 'rolled-back');
  assert.equal((await evaluateGate(deps(), request())).outcome, 'deny');
});

test('a decision stands until policies, evidence or image change', async () => {
  const { id } = await evaluateGate(deps(), request());
  assert.deepEqual(await reverify(deps(), id), { ok: true });
  evidence = [tests(1)];
  assert.match(((await reverify(deps(), id)) as { reason: string }).reason, /^tests: /);
  evidence = [tests(0)];
  const kept = policies;
  policies = [policy('true', { name: 'tests' })];
  assert.match(((await reverify(deps(), id)) as { reason: string }).reason, /policies have changed/);
  policies = kept;
  const gone = deps({
    registry: { getManifest: () => Promise.reject(new SlipwayError('image_missing', 'gone')) },
  });
  assert.equal((await reverify(gone, id)).ok, false);
  failure = new SlipwayError('unreachable', 'no registry');
  await assert.rejects(reverify(deps(), id), { code: 'unreachable' });
  assert.equal((await reverify(deps(), 'dec_none')).ok, false);
  assert.equal(await count('decisions'), 1);
});

test('a dry run tells which releases other policies would have stopped or let through', async () => {
  const allowed = await evaluateGate(deps(), request({ promotionId: null }));
  nowMs += 1_000;
  evidence = [];
  const denied = await evaluateGate(deps(), request({ promotionId: null, environment: 'staging' }));
  const stricter = await dryRun({ database }, [policy('release.number > 7')], { limit: 10 });
  assert.deepEqual(
    [stricter.looked, stricter.stopped.map(({ decision }) => decision), stricter.released],
    [2, [allowed.id], []],
  );
  const laxer = await dryRun({ database }, [policy('true')], { limit: 10 });
  assert.deepEqual([laxer.stopped, laxer.released.map(({ decision }) => decision)], [[], [denied.id]]);
  assert.equal((await dryRun({ database }, [policy('true')], { limit: 1 })).looked, 1);
  assert.equal((await dryRun({ database }, [policy('true')], { limit: 10, environment: 'prod' })).looked, 1);
  assert.equal((await dryRun({ database }, [policy('true')], { limit: 10, sinceMs: denied.atMs })).looked, 1);
});

test('the endpoints answer what their schemas say', async () => {
  const decision = await evaluateGate(deps(), request());
  const routes = new Map(gateRoutes(deps()).map((one) => [one.operationId, one]));
  const context = {} as Parameters<NonNullable<ReturnType<typeof gateRoutes>[number]>['handle']>[0];
  const ask = async (operation: string, input: { params?: unknown; query?: unknown; body?: unknown }) => {
    const one = routes.get(operation)!;
    const parsed = {
      params: one.params?.parse(input.params),
      query: one.query?.parse(input.query ?? {}),
      body: one.body?.parse(input.body ?? {}),
    };
    return one.response?.parse(await one.handle(context, parsed)) as Record<string, unknown>;
  };
  assert.deepEqual((await ask('listDecisions', { query: { digest: DIGEST, limit: '5' } })).decisions, [
    { ...decision, promotionId: 'pro_1' },
  ]);
  assert.deepEqual((await ask('listDecisions', { query: { service: 'other' } })).decisions, []);
  assert.equal((await ask('getDecision', { params: { decision: decision.id } })).id, decision.id);
  await assert.rejects(ask('getDecision', { params: { decision: 'dec_none' } }), { code: 'not_found' });
  assert.deepEqual((await ask('listPolicies', {})).problems, []);
  assert.deepEqual(await ask('testPolicies', {}), {
    ok: true,
    policyHash: decision.policyHash,
    tests: 0,
    problems: [],
  });
  const body = (allow: string) => ({ policies: [{ name: 'p', severity: 'block', allow, message: 'no' }] });
  assert.equal((await ask('testPolicies', { body: body('commit.nothing') })).ok, false);
  assert.equal(((await ask('dryRunPolicies', { body: body('false') })).stopped as unknown[]).length, 1);
  await assert.rejects(ask('dryRunPolicies', { body: body('nothing') }), { code: 'invalid_config' });
  const costly = 'history.succeededIn.all(a, history.succeededIn.exists(b, a == b))';
  await assert.rejects(ask('dryRunPolicies', { body: body(costly) }), { code: 'payload_too_large' });
});
