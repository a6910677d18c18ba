import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { requestRollout, rollbackTargets } from './requests.ts';
import { NEW, newRollout, OLD, seedRelease, specOf, start, TEMPLATE, testClock } from './rollout.testing.ts';

let db: TestDatabase;
let database: Database;
const clock = testClock();

before(async () => {
  db = await testDatabase();
  database = db.database;
});
after(() => db.close());
beforeEach(async () => {
  await database.query(
    'truncate rollout_actions, analyses, rollouts, promotions, lanes, artifacts, registry_manifests, releases, commits, services, ledger_pending cascade',
  );
});

let number = 0;
async function create(digest: Digest, more: Partial<Parameters<typeof newRollout>[1]> = {}): Promise<string> {
  number++;
  const releaseId = await seedRelease(database, { service: more.service ?? 'shop', digest, number });
  return start(database, newRollout(clock, { digest, releaseId, ...more }));
}

interface Row {
  id: string;
  fence: number;
  previous_digest: string | null;
  runtime: { listen: { port: number }; versions: Record<string, unknown> };
  phase: string;
  request: { kind: string } | null;
}
const rowOf = async (id: string) =>
  (await database.query<Row>('select * from rollouts where id = $1', [id]))[0]!;

/** As if it had ended so, and taken over when it succeeded. */
async function end(id: string, outcome: string): Promise<void> {
  clock.forward(1_000);
  await database.query(
    'update rollouts set phase = $2, outcome = $2, ended_at = $3, wake_at = null where id = $1',
    [id, outcome, new Date(clock.nowMs())],
  );
  if (outcome === 'succeeded')
    await database.query(
      `update lanes l set digest = r.digest, release_id = r.release_id, rollout_id = r.id, since = r.ended_at
       from rollouts r where r.id = $1 and l.service = r.service and l.environment = r.environment`,
      [id],
    );
}

test('a lane takes one rollout at a time, also when two begin at once', async () => {
  await create(OLD);
  await assert.rejects(create(NEW), { code: 'lane_busy' });
  const both = await Promise.allSettled([
    create(sha256('a'), { service: 'other' }),
    create(sha256('b'), { service: 'other' }),
  ]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  for (const result of both)
    if (result.status === 'rejected') assert.equal((result.reason as { code: string }).code, 'lane_busy');
  const rows = await database.query(`select 1 from rollouts where service = 'other'`);
  assert.equal(rows.length, 1);
});

test('what runs already is not rolled out again', async () => {
  await end(await create(OLD), 'succeeded');
  await assert.rejects(create(OLD), { code: 'invalid_state' });
  assert.equal((await database.query('select 1 from rollouts')).length, 1);
});

test('epochs rise with every rollout of the lane, however the last one ended, and the port stays', async () => {
  const epochs: number[] = [];
  let ports = 8_080;
  for (const [digest, outcome] of [
    [OLD, 'succeeded'],
    [NEW, 'rolled-back'],
    [NEW, 'failed'],
    [NEW, 'succeeded'],
  ] as const) {
    const id = await create(digest, { listenPort: async () => ports++ });
    const row = await rowOf(id);
    epochs.push(row.fence);
    assert.equal(row.runtime.listen.port, 8_080);
    await end(id, outcome);
  }
  assert.deepEqual(epochs, [1, 2, 3, 4]);
  const [lane] = await database.query('select fence, listen_port from lanes');
  assert.deepEqual(lane, { fence: 4, listen_port: 8_080 });
});

test('it knows the version that runs, and how to start it again', async () => {
  const first = await create(OLD);
  assert.equal((await rowOf(first)).previous_digest, null);
  await end(first, 'succeeded');
  const asked: string[] = [];
  const id = await create(NEW, {
    async previousTemplate(releaseId) {
      asked.push(releaseId);
      return { ...TEMPLATE, env: { WHICH: 'old' } };
    },
  });
  const row = await rowOf(id);
  assert.equal(row.previous_digest, OLD);
  assert.equal(asked.length, 1);
  assert.deepEqual(Object.keys(row.runtime.versions).sort(), [NEW, OLD].sort());
});

test('its analysis starts with it, when there is something to compare with', async () => {
  const analysis = { alpha: 0.05, errors: null, latency: [], warmupS: 0, staleS: 10 };
  const first = await create(OLD, { spec: specOf({ analysis }) });
  await end(first, 'succeeded');
  const second = await create(NEW, { spec: specOf({ analysis }) });
  const rows = await database.query('select rollout_id, verdict from analyses');
  assert.deepEqual(rows, [{ rollout_id: second, verdict: 'no-data' }]);
});

const ask = (id: string, kind: 'pause' | 'resume' | 'abort') =>
  requestRollout(database, id, { kind, actor: 'user:ann', reason: 'x', atMs: clock.nowMs() });

test('a request waits with the rollout and wakes it; an abort replaces others and is replaced by none', async () => {
  const id = await create(OLD);
  await database.query(`update rollouts set wake_at = '2030-01-01' where id = $1`, [id]);
  await ask(id, 'pause');
  const [row] = await database.query<{ wake_at: Date }>('select wake_at from rollouts where id = $1', [id]);
  assert.equal(row?.wake_at.getTime(), clock.nowMs());
  await ask(id, 'abort');
  assert.equal((await rowOf(id)).request?.kind, 'abort');
  await assert.rejects(ask(id, 'pause'), { code: 'invalid_state' });
  await ask(id, 'abort');
  assert.equal((await rowOf(id)).request?.kind, 'abort');
});

test('a request that makes no sense is refused with what to do instead', async () => {
  await assert.rejects(ask('rol_none', 'abort'), { code: 'not_found' });
  const id = await create(OLD);
  await assert.rejects(ask(id, 'resume'), { code: 'invalid_state' });
  await database.query(
    `update rollouts set state = jsonb_set(state, '{phase}', '"finishing"'), phase = 'finishing' where id = $1`,
    [id],
  );
  await assert.rejects(ask(id, 'abort'), (error: { code: string; hint: string }) =>
    /slipway rollback/.test(error.hint),
  );
  await database.query(
    `update rollouts set state = jsonb_set(state, '{phase}', '"rolling-back"'), phase = 'rolling-back' where id = $1`,
    [id],
  );
  await assert.rejects(ask(id, 'pause'), { code: 'invalid_state' });
  await database.query(
    `update rollouts set state = jsonb_set(state, '{phase}', '"aborted"'), phase = 'aborted' where id = $1`,
    [id],
  );
  await end(id, 'aborted');
  await assert.rejects(ask(id, 'abort'), { code: 'invalid_state' });
});

async function push(digest: Digest): Promise<void> {
  await database.query(
    `insert into registry_manifests (repository, digest, media_type, content, pushed_by, pushed_at) values ('shop', $1, 'x', '', 'x', now())`,
    [digest],
  );
}

test('rollback targets: those that had taken over here, newest first, and whether each is safe', async () => {
  const digests = ['a', 'b', 'c', 'd'].map((name) => sha256(name));
  const [a, b, c, d] = digests as [Digest, Digest, Digest, Digest];
  for (const digest of [a, b, c, d]) await end(await create(digest), 'succeeded');
  await end(await create(sha256('bad')), 'rolled-back');
  await push(a);
  await push(c);
  const targets = await rollbackTargets(database, 'shop', 'prod');
  assert.deepEqual(
    targets.map(({ digest, safe }) => [digest, safe]),
    [
      [c, true],
      [b, false],
      [a, true],
    ],
  );
  assert.match(targets[1]?.reason ?? '', /no longer in the registry/);
  // c was tried again and turned back: not safe any more; and what runs now is no target.
  await end(await create(c), 'rolled-back');
  const later = await rollbackTargets(database, 'shop', 'prod');
  assert.deepEqual(
    later.map(({ digest, safe }) => [digest, safe]),
    [
      [c, false],
      [b, false],
      [a, true],
    ],
  );
  assert.match(later[0]?.reason ?? '', /rolled back here/);
  assert.deepEqual(await rollbackTargets(database, 'shop', 'staging'), []);
});
