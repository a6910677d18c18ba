import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { reconcileRollouts } from './apply.ts';
import { type IdleLane, planLane } from './lane-plan.ts';
import { type HealMemory, reconcileLanes } from './lanes.ts';
import { fenceOf } from './orders.ts';
import {
  depsOf,
  instanceOf,
  type MemoryTarget,
  memoryTarget,
  NEW,
  newRollout,
  OLD,
  seedRelease,
  start,
  TEMPLATE,
  type TestClock,
  testClock,
} from './rollout.testing.ts';

const runtime = {
  listen: { host: '127.0.0.1', port: 8_080 },
  match: [],
  sticky: null,
  versions: { [OLD]: TEMPLATE },
};
const idle: IdleLane = {
  lane: 'shop/prod',
  digest: OLD,
  rolloutId: `rol_${'0'.repeat(14)}oldoldoldold`,
  instances: 2,
  runtime,
  fence: 3,
};
const c1 = instanceOf('oldoldoldold-c1', OLD);
const c2 = instanceOf('oldoldoldold-c2', OLD);

function routeOf(ids: readonly (typeof c1)[], weights = { stable: 0, baseline: 0, canary: 100 }) {
  const group = weights.canary === 100 ? ('canary' as const) : ('stable' as const);
  const backends = ids.map(({ id, digest, host, port }) => ({
    id,
    group,
    digest,
    host,
    port: port ?? 0,
    state: 'serving' as const,
  }));
  return {
    lane: 'shop/prod' as const,
    fence: 9,
    listen: runtime.listen,
    backends,
    weights,
    match: [],
    sticky: null,
    mirror: null,
  };
}

test('a lane that is as its takeover left it is left alone, also while an instance is away for a moment', () => {
  for (const instances of [
    [c1, c2],
    [c1, { ...c2, state: 'unready' as const }],
    [c1, { ...c2, state: 'exited' as const }],
    [c1, { ...c2, state: 'starting' as const }],
  ]) {
    for (const weights of [undefined, { stable: 100, baseline: 0, canary: 0 }])
      assert.deepEqual(
        planLane(idle, { instances, route: routeOf([c1, c2], weights), inFlight: {} }).actions,
        [],
      );
  }
});

test('an agent that lost its state gets the missing instances under their names', () => {
  const { actions } = planLane(idle, { instances: [], route: routeOf([c1, c2]), inFlight: {} });
  assert.deepEqual(
    actions.flatMap((action) => (action.kind === 'start-instance' ? [action.id] : [])),
    [c1.id, c2.id],
  );
});

test('a router that lost its state gets the route again, once an instance is ready', () => {
  const { actions } = planLane(idle, { instances: [c1, c2], route: null, inFlight: {} });
  assert.equal(actions.length, 1);
  const [route] = actions;
  assert.ok(route?.kind === 'route');
  assert.equal(route.weights.stable, 100);
  assert.deepEqual(
    route.backends.map(({ id, state }) => `${id} ${state}`),
    ['oldoldoldold-c1 serving', 'oldoldoldold-c2 serving'],
  );
  const starting = [
    { ...c1, state: 'starting' as const, port: null },
    { ...c2, state: 'starting' as const },
  ];
  assert.deepEqual(planLane(idle, { instances: starting, route: null, inFlight: {} }).actions, []);
});

test('a stray that serves is drained first and stopped when nothing is under way on it', () => {
  const stray = instanceOf('newnewnewnew-c1', NEW);
  const instances = [c1, c2, stray];
  const serving = planLane(idle, { instances, route: routeOf([c1, c2, stray]), inFlight: {} });
  assert.deepEqual(
    serving.actions.map((action) => action.kind),
    ['route'],
  );
  const [route] = serving.actions;
  assert.ok(route?.kind === 'route');
  assert.equal(route.backends.find(({ id }) => id === stray.id)?.state, 'draining');
  const drained = { ...routeOf([c1, c2, stray]), backends: route.backends };
  const busy = planLane(idle, { instances, route: drained, inFlight: { [stray.id]: 1 } });
  assert.deepEqual(busy.actions, []);
  const free = planLane(idle, { instances, route: drained, inFlight: {} });
  assert.deepEqual(free.actions, [{ kind: 'stop-instance', id: stray.id }]);
});

test('a failed instance is replaced; one of the lane version that is too many is not touched', () => {
  const failed = { ...c2, state: 'failed' as const };
  const { actions } = planLane(idle, { instances: [c1, failed], route: routeOf([c1, c2]), inFlight: {} });
  assert.deepEqual(
    actions.map((action) => (action.kind === 'route' ? 'route' : `${action.kind} ${action.id}`)),
    ['start-instance oldoldoldold-c3', 'route'],
  );
  const c3 = instanceOf('oldoldoldold-c3', OLD);
  assert.deepEqual(
    planLane(idle, { instances: [c1, c2, c3], route: routeOf([c1, c2, c3]), inFlight: {} }).actions,
    [],
  );
});

test('where nothing ever took over nothing runs', () => {
  const { actions } = planLane({ ...idle, digest: null }, { instances: [c1], route: null, inFlight: {} });
  assert.deepEqual(actions, [{ kind: 'stop-instance', id: c1.id }]);
});

let db: TestDatabase;
let clock: TestClock;
let target: MemoryTarget;
let memory: HealMemory;

before(async () => {
  db = await testDatabase();
});
after(() => db.close());

beforeEach(async () => {
  await db.database.query(
    'truncate rollout_actions, analyses, rollouts, promotions, lanes, artifacts, releases, commits, services, ledger_pending cascade',
  );
  clock = testClock();
  target = memoryTarget();
  memory = new Map();
});

const deps = () => depsOf(db.database, target, clock);

async function settle(): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const [due] = await db.database.query<{ wake_at: Date }>(
      'select wake_at from rollouts where ended_at is null',
    );
    if (due === undefined) return;
    clock.set(Math.max(clock.nowMs(), due.wake_at.getTime()));
    await reconcileRollouts(deps());
  }
  throw new Error('it does not end');
}

async function deployed(): Promise<string> {
  const releaseId = await seedRelease(db.database, { service: 'shop', digest: OLD, number: 1 });
  const id = await start(db.database, newRollout(clock, { digest: OLD, releaseId }));
  await settle();
  return id;
}

test('a wiped router and a wiped agent are healed with a fence of their own, and the ledger says so', async () => {
  const id = await deployed();
  assert.equal(await reconcileLanes(deps(), memory), 0);
  target.routes.clear();
  target.instances.clear();
  for (let i = 0; i < 3; i++) {
    await reconcileLanes(deps(), memory);
    clock.forward(10_000);
  }
  assert.equal(target.instances.size, 2);
  const route = target.routes.get('shop/prod');
  assert.equal(route?.backends.filter((backend) => backend.state === 'serving').length, 2);
  const [lane] = await db.database.query<{ fence: number }>('select fence from lanes');
  assert.equal(route?.fence, fenceOf(lane?.fence ?? 0, 0));
  assert.ok((lane?.fence ?? 0) > 1);
  const entries = await db.database.query(
    `select 1 from ledger_pending where kind = 'rollout.action' and subject = $1`,
    [id],
  );
  assert.equal(entries.length, (lane?.fence ?? 0) - 1);
  assert.equal(await reconcileLanes(deps(), memory), 0);
});

test('a lane with an active rollout is the business of that rollout alone', async () => {
  await deployed();
  const releaseId = await seedRelease(db.database, { service: 'shop', digest: NEW, number: 2 });
  const read = { ...depsOf(db.database, target, clock) };
  target.instances.clear();
  // It begins between the look and the healing.
  read.target = {
    ...target,
    async observe(lanes) {
      const seen = await target.observe(lanes);
      await start(db.database, newRollout(clock, { digest: NEW, releaseId }));
      return seen;
    },
  };
  assert.equal(await reconcileLanes(read, memory), 0);
  assert.equal(target.instances.size, 0);
  assert.equal(await reconcileLanes(deps(), new Map()), 0);
  await settle();
  assert.equal(target.instances.size, 2);
});

test('of two workers that see the same drift one heals', async () => {
  await deployed();
  target.instances.clear();
  // Both have read the lane and looked before either heals.
  const both = Promise.withResolvers<void>();
  let looking = 0;
  const worker = () => ({
    ...deps(),
    target: {
      ...target,
      async observe(lanes: Parameters<MemoryTarget['observe']>[0]) {
        const seen = await target.observe(lanes);
        if (++looking === 2) both.resolve();
        await both.promise;
        return seen;
      },
    },
  });
  const healed = await Promise.all([
    reconcileLanes(worker(), new Map()),
    reconcileLanes(worker(), new Map()),
  ]);
  assert.deepEqual(healed.sort(), [0, 1]);
});

test('what cannot be healed is tried ever more seldom', async () => {
  await deployed();
  target.instances.clear();
  target.fail.before = (what) => what.startsWith('start');
  for (let second = 0; second < 3_600; second += 3) {
    clock.forward(3_000);
    await reconcileLanes(deps(), memory);
  }
  const tries = await db.database.query(`select 1 from ledger_pending where kind = 'rollout.action'`);
  assert.ok(tries.length < 25, `${tries.length} tries in an hour`);
  assert.ok(tries.length > 8);
});
