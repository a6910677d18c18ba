import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import type { RolloutState } from '../../kernel/rollout.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { reconcileRollouts } from './apply.ts';
import { databaseStore } from './commit.ts';
import { fenceOf } from './orders.ts';
import { requestRollout } from './requests.ts';
import {
  depsOf,
  type MemoryTarget,
  memoryTarget,
  NEW,
  newRollout,
  OLD,
  seedRelease,
  specOf,
  start,
  type TestClock,
  testClock,
} from './rollout.testing.ts';
import { claimEnd } from './store.ts';

let db: TestDatabase;
let database: Database;
let clock: TestClock;
let target: MemoryTarget;
let deps: ReturnType<typeof depsOf>;
let number = 0;

before(async () => {
  db = await testDatabase();
  database = db.database;
});
after(() => db.close());

beforeEach(async () => {
  await database.query(
    'truncate rollout_actions, analyses, rollouts, promotions, lanes, artifacts, releases, commits, services, ledger_pending cascade',
  );
  clock = testClock();
  target = memoryTarget();
  deps = depsOf(database, target, clock);
  number = 0;
});

interface Row {
  id: string;
  phase: string;
  state: RolloutState;
  generation: number;
  wake_at: Date | null;
  outcome: string | null;
  request: unknown;
  orders: unknown;
}

async function rowOf(id: string): Promise<Row> {
  const [row] = await database.query<Row>('select * from rollouts where id = $1', [id]);
  assert.ok(row);
  return row;
}

/** Looks as often as the rollout asks for, until it ends or `until` holds. */
async function drive(id: string, until: (row: Row) => boolean = () => false): Promise<Row> {
  for (let i = 0; i < 500; i++) {
    const row = await rowOf(id);
    if (row.wake_at === null || until(row)) return row;
    clock.set(Math.max(clock.nowMs(), row.wake_at.getTime()));
    await reconcileRollouts(deps);
  }
  throw new Error('it does not end');
}

async function release(digest: Digest): Promise<string> {
  number++;
  return seedRelease(database, { service: 'shop', digest, number });
}

/** `OLD` runs in the lane, and a rollout of `NEW` begins. */
async function canary(more: Partial<Parameters<typeof newRollout>[1]> = {}): Promise<string> {
  const first = await start(database, newRollout(clock, { digest: OLD, releaseId: await release(OLD) }));
  assert.equal((await drive(first)).outcome, 'succeeded');
  return start(database, newRollout(clock, { digest: NEW, releaseId: await release(NEW), ...more }));
}

async function entries(subject: string) {
  const rows = await database.query<{ kind: string; actor: string; body: Buffer }>(
    'select kind, actor, body from ledger_pending where subject = $1 order by id',
    [subject],
  );
  return rows.map(({ kind, actor, body }) => {
    const { data } = JSON.parse(body.toString()) as { data: { state: RolloutState; generation?: number } };
    return { kind, actor, data };
  });
}

test('a first version and then a canary go to 100 %, in the order capacity, weight, drain, stop', async () => {
  const id = await canary();
  target.done = [];
  const row = await drive(id);
  assert.equal(row.outcome, 'succeeded');
  const weights = target.done.filter((what) => what.startsWith('route'));
  assert.deepEqual(
    [...new Set(weights)],
    ['route 100/0/0', 'route 90/0/10', 'route 50/0/50', 'route 0/0/100'],
  );
  const lastStart = target.done.findLastIndex((what) => what.startsWith('start'));
  assert.ok(lastStart < target.done.indexOf('route 0/0/100'));
  assert.ok(target.done.indexOf('route 0/0/100') < target.done.findIndex((what) => what.startsWith('stop')));
  const [lane] = await database.query('select digest, rollout_id from lanes');
  assert.deepEqual(lane, { digest: NEW, rollout_id: id });
});

test('replaying the entries of a rollout gives its row, and every state has its entry', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.stepIndex === 1);
  await requestRollout(database, id, { kind: 'abort', actor: 'user:ann', reason: 'no', atMs: clock.nowMs() });
  const row = await drive(id);
  const told = await entries(id);
  assert.equal(row.outcome, 'aborted');
  assert.equal(told[0]?.kind, 'rollout.created');
  assert.equal(told.at(-1)?.kind, 'rollout.ended');
  assert.deepEqual(told.at(-1)?.data.state, row.state);
  assert.equal(told.at(-1)?.data.generation, row.generation);
  assert.equal(told.filter((entry) => entry.kind === 'rollout.ended').length, 1);
  assert.ok(told.some((entry) => entry.actor === 'user:ann'));
});

test('of two workers that read the same generation one commits, and only that one acts', async () => {
  const id = await canary();
  const store = databaseStore(deps);
  const nowMs = clock.nowMs();
  const [mine] = await store.claimDue(nowMs, 10);
  assert.ok(mine);
  await database.query('update rollouts set wake_at = $2 where id = $1', [id, new Date(nowMs)]);
  const done = target.done.length;
  await reconcileRollouts(deps);
  assert.ok(target.done.length > done, 'the other worker acts');
  const plan = { next: mine.state, actions: [], reasons: ['late'], wakeAtMs: nowMs + 1 };
  const won = await store.commit([{ claimedAtMs: nowMs, active: mine, plan, orders: mine.orders }], nowMs);
  assert.deepEqual(won, []);
  assert.equal((await rowOf(id)).generation, 1);
});

test('two workers claim every due rollout once', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    const service = `s${i}`;
    const releaseId = await seedRelease(database, { service, digest: sha256(service), number: 1 });
    ids.push(await start(database, newRollout(clock, { service, digest: sha256(service), releaseId })));
  }
  const store = databaseStore(deps);
  const claims = await Promise.all([1, 2, 3, 4].map(() => store.claimDue(clock.nowMs(), 7)));
  const claimed = claims.flat().map((active) => active.rollout.id);
  assert.equal(new Set(claimed).size, claimed.length);
  assert.deepEqual(await store.claimDue(clock.nowMs(), 100).then((rest) => rest.length + claimed.length), 20);
  clock.forward(2_000);
  assert.equal((await store.claimDue(clock.nowMs(), 100)).length, 20, 'the claims of a dead worker run out');
});

test('a worker that dies between commit and order: the next pass finds it undone and orders it anew', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.stepIndex === 1);
  const dies = depsOf(database, { observe: target.observe, perform: () => new Promise(() => {}) }, clock);
  clock.set((await rowOf(id)).wake_at?.getTime() ?? 0);
  const generation = (await rowOf(id)).generation;
  void reconcileRollouts(dies);
  const committed = async () => (await rowOf(id)).generation > generation;
  for (let i = 0; !(await committed()); i++) assert.ok(i < 500);
  assert.equal(
    (await database.query(`select 1 from rollout_actions where status = 'pending'`)).length > 0,
    true,
  );
  assert.equal((await drive(id)).outcome, 'succeeded');
});

test('an order whose answer was lost is repeated without harm', async () => {
  const id = await canary();
  let n = 0;
  target.fail.after = () => n++ % 2 === 0;
  assert.equal((await drive(id)).outcome, 'succeeded');
  const starts = target.done.filter((what) => what.startsWith('start'));
  assert.equal(target.instances.size, 2);
  assert.ok(starts.length >= 4);
});

test('nothing follows an order that failed in the same pass', async () => {
  const id = await canary();
  target.done = [];
  target.fail.before = (what) => what.startsWith('start');
  clock.set((await rowOf(id)).wake_at?.getTime() ?? 0);
  await reconcileRollouts(deps);
  assert.deepEqual(target.done, []);
  const rows = await database.query<{ n: number; status: string; result: { problem: string } | null }>(
    'select n, status, result from rollout_actions where rollout_id = $1 order by n',
    [id],
  );
  assert.equal(rows[0]?.status, 'failed');
  assert.match(rows[0]?.result?.problem ?? '', /injected/);
  assert.ok(rows.slice(1).every((row) => row.status === 'pending'));
});

test('what an earlier worker orders late is refused once a newer route is seen', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.weights.canary === 50 && row.state.stepSettledAtMs !== null);
  const route = target.routes.get('shop/prod');
  const [{ fence }] = (await database.query<{ fence: number }>('select fence from rollouts where id = $1', [
    id,
  ])) as [{ fence: number }];
  const runtime = { listen: { host: '127.0.0.1', port: 8_080 }, match: [], sticky: null, versions: {} };
  const action = {
    kind: 'route',
    weights: { stable: 0, baseline: 0, canary: 100 },
    backends: [],
    mirror: null,
    match: [],
  };
  await assert.rejects(
    target.perform({
      lane: 'shop/prod',
      fence: fenceOf(fence, 1),
      runtime,
      action: { ...action, kind: 'route' },
    }),
    { code: 'stale_fence' },
  );
  assert.equal(target.routes.get('shop/prod'), route);
});

test('turning back orders the route again when an earlier order may still arrive', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.phase === 'stepping');
  // The order of the first weight never arrives; the router still carries 100 / 0.
  target.fail.before = (what) => what === 'route 90/0/10';
  await drive(id, (row) => row.state.weights.canary === 10);
  const late = target.routes.get('shop/prod')?.fence ?? 0;
  await requestRollout(database, id, { kind: 'abort', actor: 'user:ann', reason: 'no', atMs: clock.nowMs() });
  const row = await drive(id);
  assert.equal(row.outcome, 'aborted');
  const newest = target.routes.get('shop/prod')?.fence ?? 0;
  assert.ok(newest > late + 1, 'the router carries a fence above the order that was lost');
});

test('a wake-up that comes while a pass runs is not overwritten, by a change or by none', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.stepSettledAtMs !== null);
  const store = databaseStore(deps);
  for (const changes of [false, true]) {
    clock.set((await rowOf(id)).wake_at?.getTime() ?? 0);
    const nowMs = clock.nowMs();
    const [active] = await store.claimDue(nowMs, 10);
    assert.ok(active);
    // Somebody wants a look: an analysis that failed, or a person.
    await database.query('update rollouts set wake_at = $2 where id = $1', [id, new Date(nowMs + 5)]);
    const plan = { next: { ...active.state }, actions: [], reasons: ['x'], wakeAtMs: nowMs + 60_000 };
    if (changes) await store.commit([{ claimedAtMs: nowMs, active, plan, orders: active.orders }], nowMs);
    else await store.reschedule([{ id, fromMs: claimEnd(nowMs), toMs: nowMs + 60_000 }]);
    assert.equal((await rowOf(id)).wake_at?.getTime(), nowMs + 5);
  }
});

test('a request that comes while a pass runs is heard by the next one, also in the same millisecond', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.stepSettledAtMs !== null);
  const atMs = clock.nowMs();
  await requestRollout(database, id, { kind: 'pause', actor: 'user:ann', reason: 'wait', atMs });
  const store = databaseStore(deps);
  const [active] = await store.claimDue(atMs, 10);
  assert.equal(active?.request?.kind, 'pause');
  await requestRollout(database, id, { kind: 'abort', actor: 'user:bob', reason: 'stop', atMs });
  assert.ok(active);
  const plan = { next: active.state, actions: [], reasons: [], wakeAtMs: atMs + 60_000 };
  await store.commit([{ claimedAtMs: atMs, active, plan, orders: active.orders }], atMs);
  assert.equal((await drive(id)).outcome, 'aborted');
});

test('a silent data plane moves nothing', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.stepSettledAtMs !== null);
  const before = await rowOf(id);
  target.away = true;
  for (let i = 0; i < 50; i++) {
    clock.forward(1_000);
    await reconcileRollouts(deps);
  }
  assert.deepEqual((await rowOf(id)).state, before.state);
  target.away = false;
  assert.equal((await drive(id)).outcome, 'succeeded');
});

test('a step counts no time in which its weight was not there yet, however slow the look', async () => {
  const id = await canary();
  await drive(id, (row) => row.state.weights.canary === 10);
  const slow: typeof deps = {
    ...deps,
    target: {
      ...target,
      async observe(lanes) {
        clock.forward(4_000);
        return target.observe(lanes);
      },
    },
  };
  clock.set(Math.max(clock.nowMs(), (await rowOf(id)).wake_at?.getTime() ?? 0));
  await reconcileRollouts(slow);
  assert.equal((await rowOf(id)).state.stepSettledAtMs, clock.nowMs());
});

test('a pass that holds writes neither a row nor an entry', async () => {
  const id = await canary({
    spec: specOf({ steps: [{ weight: 10, minimumS: 50, requirePass: false, manual: false, deadlineS: 60 }] }),
  });
  await drive(id, (row) => row.state.stepSettledAtMs !== null);
  const { generation } = await rowOf(id);
  const told = (await entries(id)).length;
  for (let i = 0; i < 20; i++) {
    clock.forward(1_000);
    await reconcileRollouts(deps);
  }
  assert.equal((await rowOf(id)).generation, generation);
  assert.equal((await entries(id)).length, told);
});

test('one rollout that cannot be planned does not keep the others from being', async () => {
  const id = await canary();
  const other = await seedRelease(database, { service: 'other', digest: sha256('other'), number: 1 });
  const broken = await start(
    database,
    newRollout(clock, { service: 'other', digest: sha256('other'), releaseId: other }),
  );
  await database.query(`update rollouts set spec = '{}' where id = $1`, [broken]);
  assert.equal((await drive(id)).outcome, 'succeeded');
  assert.equal((await rowOf(broken)).phase, 'preparing');
});

test('the promotion is woken when its rollout ends, once', async () => {
  const first = await start(database, newRollout(clock, { digest: OLD, releaseId: await release(OLD) }));
  await drive(first);
  const releaseId = await release(NEW);
  await database.query(
    `insert into promotions (id, service, environment, digest, release_id, kind, status, requested_by, created_at, status_at, deadline_at)
     values ('pro_1', 'shop', 'prod', $1, $2, 'planned', 'rolling', 'x', now(), now(), now())`,
    [NEW, releaseId],
  );
  const id = await start(database, newRollout(clock, { digest: NEW, releaseId, promotionId: 'pro_1' }));
  await drive(id);
  assert.deepEqual(deps.woken, ['pro_1']);
});

test('the entry of a large fleet fits into the ledger', async () => {
  const id = await canary({ spec: specOf({ instances: 400, canaryInstances: 400 }) });
  const row = await drive(id);
  assert.equal(row.outcome, 'succeeded');
});
