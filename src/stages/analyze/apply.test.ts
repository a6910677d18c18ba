import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { RouterStats } from '../../kernel/dataplane.ts';
import { laneOf } from '../../kernel/ids.ts';
import { createLogger } from '../../platform/log.ts';
import { json } from '../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { type AnalyzeDeps, reconcileAnalyses } from './apply.ts';
import { loadMinutes } from './minutes.ts';
import { historyRecorder } from './recorder.ts';
import { analyzeRoutes, evidenceSeries } from './routes.ts';
import { loadAnalyses, MAX_POINTS, readEvidence, thinEvidence, writeAnalyses } from './store.ts';
import { ERRORS_ONLY, NEW, OLD, Traffic } from './traffic.testing.ts';

let pg: TestDatabase;
before(async () => {
  pg = await testDatabase();
});
after(() => pg.close());

const HEALTHY = { rps: 50, errors: 0.002 };
const EQUAL = { stable: HEALTHY, baseline: HEALTHY, canary: HEALTHY };
const BROKEN = { ...EQUAL, canary: { rps: 50, errors: 0.1 } };

let traffic: Traffic;
let services: string[];
beforeEach(async () => {
  traffic = new Traffic(1_800_000_000_000)
    .add('s1', 'stable')
    .add('s2', 'stable')
    .run(60, { stable: HEALTHY });
  traffic.add('b1', 'baseline').add('c1', 'canary');
  services = [];
  await pg.database.query(
    'truncate evidence_points, analyses, rollout_actions, rollouts, lanes, services cascade',
  );
});

async function rollout(service: string, phase = 'stepping'): Promise<string> {
  const id = `rol_${service}`;
  const at = new Date(traffic.atMs);
  await pg.database.query(
    `insert into services (name, repository_url, branch, created_at) values ($1, 'file:///x', 'main', $2)`,
    [service, at],
  );
  await pg.database.query(`insert into lanes (service, environment) values ($1, 'prod')`, [service]);
  await pg.database.query(
    `insert into rollouts (id, service, environment, kind, digest, previous_digest, repository, spec, runtime, state, phase,
       fence, wake_at, created_at, updated_at)
     values ($1, $2, 'prod', 'planned', $3, $4, $2, '{}', '{}', '{}', $5, 1, $6, $7, $7)`,
    [id, service, NEW, OLD, phase, new Date(traffic.atMs + 3_600_000), at],
  );
  await pg.database.query(
    `insert into analyses (rollout_id, spec, verdict, updated_at) values ($1, $2, 'no-data', $3)`,
    [id, json(ERRORS_ONLY), at],
  );
  services.push(service);
  return id;
}

function stats(): RouterStats {
  const { atMs, bootId, canaryWeight, backends } = traffic.snapshot();
  const weights = { stable: 80 - canaryWeight, baseline: 20, canary: canaryWeight };
  return {
    atMs,
    bootId,
    lanes: services.map((service) => ({
      lane: laneOf(service, 'prod'),
      fence: 1,
      weights,
      backends,
      unrouted: 0,
    })),
  };
}

function deps(change: Partial<AnalyzeDeps> = {}): AnalyzeDeps {
  return {
    database: pg.database,
    clock: { nowMs: () => traffic.atMs + 100, random: () => new Uint8Array() },
    stats: async () => stats(),
    log: createLogger('test', 'silent'),
    ...change,
  };
}

async function row(id: string) {
  const [found] = await pg.database.query<{
    verdict: string;
    reason: string;
    generation: number;
    wake_at: Date;
  }>(
    'select a.verdict, a.reason, a.generation, r.wake_at from analyses a join rollouts r on r.id = a.rollout_id where r.id = $1',
    [id],
  );
  assert.ok(found);
  return found;
}

async function passes(
  count: number,
  loads: Parameters<Traffic['run']>[1],
  change: Partial<AnalyzeDeps> = {},
) {
  traffic.canaryWeight = 20;
  for (let i = 0; i < count; i++) {
    traffic.run(1, loads);
    await reconcileAnalyses(deps(change));
  }
}

test('a broken canary turns the verdict to fail, wakes the rollout at once, and draws its evidence', async () => {
  const id = await rollout('shop');
  await reconcileAnalyses(deps());
  await passes(30, BROKEN);
  const { verdict, reason, wake_at } = await row(id);
  assert.equal(verdict, 'fail');
  assert.match(reason, /^errors: canary/);
  assert.ok(wake_at.getTime() <= traffic.atMs + 100);
  const series = await readEvidence(pg.database, id);
  assert.ok(series && series.points.length >= 29);
  const numbers = series.points.map(({ n }) => n);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  assert.equal(new Set(numbers).size, numbers.length);
  const tail = await readEvidence(pg.database, id, numbers[10]);
  assert.equal(tail?.points[0]?.n, numbers[11]);
});

test('instances of earlier rollouts that the router still lists are not taken for this canary', async () => {
  // The canary of a rollout that was turned back, and the winners of the one before, still called a canary.
  traffic.add('gone', 'canary', `sha256:${'c'.repeat(64)}`);
  traffic.add('s3', 'canary', OLD);
  traffic.run(5, { stable: HEALTHY, gone: HEALTHY, s3: HEALTHY });
  const id = await rollout('shop');
  await reconcileAnalyses(deps());
  await passes(30, { ...BROKEN, gone: { rps: 0, errors: 0 }, s3: HEALTHY });
  const { verdict, reason } = await row(id);
  assert.equal(verdict, 'fail', reason);
});

test('the evidence endpoint answers in its own schema, and 404 for what is not there', async () => {
  const id = await rollout('shop');
  await reconcileAnalyses(deps());
  await passes(5, EQUAL);
  const [evidence] = analyzeRoutes({ database: pg.database });
  const context = {} as Parameters<NonNullable<typeof evidence>['handle']>[0];
  const answer = await evidence?.handle(context, {
    params: { rollout: id },
    query: { after: -1 },
    body: undefined,
  });
  const parsed = evidenceSeries.strict().parse(answer);
  assert.equal(parsed.points.length, 5);
  assert.deepEqual(JSON.parse(JSON.stringify(parsed)), JSON.parse(JSON.stringify(answer)));
  const absent = evidence?.handle(context, {
    params: { rollout: 'rol_none' },
    query: { after: -1 },
    body: undefined,
  });
  await assert.rejects(async () => absent, { code: 'not_found' });
});

test('no counters are no data and never leave a pass standing', async () => {
  const id = await rollout('shop');
  await reconcileAnalyses(deps());
  await pg.database.query(`update analyses set verdict = 'pass' where rollout_id = $1`, [id]);
  const broken = { stats: () => Promise.reject(new Error('connect ECONNREFUSED')) };
  await reconcileAnalyses(deps(broken));
  assert.deepEqual(
    [(await row(id)).verdict, (await row(id)).reason],
    ['no-data', 'the data plane gave no counters'],
  );
  const { generation } = await row(id);
  assert.equal(await reconcileAnalyses(deps(broken)), 0, 'the same news is not written again');
  assert.equal((await row(id)).generation, generation);
});

test('two workers at once: one of them writes, and the counts are those of one', async () => {
  const id = await rollout('shop');
  await reconcileAnalyses(deps());
  traffic.canaryWeight = 20;
  let written = 0;
  for (let i = 0; i < 20; i++) {
    traffic.run(1, EQUAL);
    written += (await Promise.all([reconcileAnalyses(deps()), reconcileAnalyses(deps())])).reduce(
      (a, b) => a + b,
      0,
    );
  }
  assert.equal(written, 20);
  const points = (await readEvidence(pg.database, id))?.points ?? [];
  assert.equal(points.length, 20);
  assert.equal(points[19]?.point.metrics[0]?.canary.requests, 18 * 50);
});

test('a pass that read before another wrote leaves no trace', async () => {
  const id = await rollout('shop');
  const [stale] = await loadAnalyses(pg.database, '', 10);
  assert.ok(stale);
  await reconcileAnalyses(deps());
  const write = { ...stale, verdict: 'fail' as const, reason: 'stale', point: null, wake: true };
  assert.deepEqual(await writeAnalyses(pg.database, [write], traffic.atMs), []);
  assert.equal((await row(id)).verdict, 'no-data');
  assert.ok((await row(id)).wake_at.getTime() > traffic.atMs + 1_000_000);
});

test('a restart in between changes nothing: the state in the row continues exactly', async () => {
  const ids = [await rollout('a'), await rollout('b')];
  await reconcileAnalyses(deps());
  traffic.canaryWeight = 20;
  for (let i = 0; i < 25; i++) {
    traffic.run(1, { ...EQUAL, canary: { rps: 50, errors: 0.02 } });
    // Of the second rollout every pass but each fifth is lost, as if the worker had been down.
    const keep = i % 5 === 4;
    const only = keep ? stats() : { ...stats(), lanes: stats().lanes.slice(0, 1) };
    await reconcileAnalyses(deps({ stats: async () => only }));
  }
  const last = async (id: string) => (await readEvidence(pg.database, id))?.points.at(-1)?.point.metrics[0];
  const [a, b] = [await last(ids[0] as string), await last(ids[1] as string)];
  // The looks of the second span 5 s: what is left out as cold differs, what is counted does not drift.
  assert.equal(a?.canary.requests, 23 * 50);
  assert.equal(b?.canary.requests, 20 * 50);
});

test('ended and turning rollouts are not judged, and a broken state is no data for its rollout only', async () => {
  const ended = await rollout('ended');
  await pg.database.query('update rollouts set ended_at = $2 where id = $1', [ended, new Date()]);
  const turning = await rollout('turning', 'rolling-back');
  const poisoned = await rollout('poisoned');
  const state = { version: 1, bootId: 'boot-1', atMs: 0, metrics: [{ metric: 'errors' }], instances: {} };
  await pg.database.query('update analyses set state = $2, verdict = $3 where rollout_id = $1', [
    poisoned,
    json(state),
    'pass',
  ]);
  const sound = await rollout('sound');
  await reconcileAnalyses(deps());
  await passes(3, EQUAL);
  assert.equal((await row(ended)).generation, 0);
  assert.equal((await row(turning)).generation, 0);
  assert.equal((await row(poisoned)).verdict, 'no-data');
  assert.ok((await row(sound)).generation >= 4);
});

test('a long series is thinned out, newest points and turns of the verdict kept', async () => {
  const id = await rollout('shop');
  await pg.database.query(
    `insert into evidence_points (rollout_id, n, at, point)
     select $1, n, now(), jsonb_build_object('verdict', case when n < 102 then 'no-data' else 'inconclusive' end)
       from generate_series(1, $2) n`,
    [id, MAX_POINTS + 1],
  );
  await thinEvidence(pg.database, [id]);
  const numbers = (await readEvidence(pg.database, id))?.points.map(({ n }) => n) ?? [];
  assert.ok(numbers.length < 450 && numbers.length > 350);
  assert.ok(numbers.includes(1) && numbers.includes(102) && numbers.includes(MAX_POINTS + 1));
  assert.equal(numbers.filter((n) => n > MAX_POINTS - 199).length, 200);
  await thinEvidence(pg.database, [id]);
  assert.equal((await readEvidence(pg.database, id))?.points.length, numbers.length);
});

test('hundreds of analyses are one load and one write a pass', async () => {
  const at = new Date(traffic.atMs);
  await pg.database.query(
    `with s as (insert into services (name, repository_url, branch, created_at)
       select 'svc-' || i, 'file:///x', 'main', $1 from generate_series(1, 300) i returning name)
     insert into lanes (service, environment) select name, 'prod' from s`,
    [at],
  );
  await pg.database.query(
    `insert into rollouts (id, service, environment, kind, digest, repository, spec, runtime, state, phase, fence, created_at, updated_at)
     select 'rol_' || service, service, 'prod', 'planned', 'd', service, '{}', '{}', '{}', 'stepping', 1, $1, $1 from lanes`,
    [at],
  );
  await pg.database.query(
    `insert into analyses (rollout_id, spec, verdict, updated_at) select id, $2, 'no-data', $1 from rollouts`,
    [at, json(ERRORS_ONLY)],
  );
  services = Array.from({ length: 300 }, (_, i) => `svc-${i + 1}`);
  let statements = 0;
  const counted = {
    ...pg.database,
    query: <Row>(text: string, values?: readonly unknown[]) => {
      statements++;
      return pg.database.query<Row>(text, values);
    },
  };
  await reconcileAnalyses(deps({ database: counted }));
  traffic.canaryWeight = 20;
  traffic.run(5, EQUAL);
  statements = 0;
  assert.equal(await reconcileAnalyses(deps({ database: counted })), 300);
  assert.equal(statements, 2);
});

async function watchedFor(seconds: number, change: Partial<AnalyzeDeps>) {
  for (let i = 0; i < seconds; i++) {
    traffic.run(1, { stable: HEALTHY });
    await reconcileAnalyses(deps(change));
  }
}

const clump = async () => (await loadAnalyses(pg.database, '', 1))[0]?.state?.metrics[0]?.dispersion.g ?? 99;
const VERSIONS = { digest: NEW, previousDigest: OLD };

test('history seen by the worker before the rollout makes the first looks sharper, also after the worker was killed', async () => {
  services = ['shop'];
  await pg.database.query('truncate lane_minutes');
  const before = historyRecorder();
  await watchedFor(6 * 60, { history: before });
  const known = before.of('shop/prod', VERSIONS)?.minutes;
  assert.equal(known?.windows, 6);
  assert.deepEqual(
    known?.instances.map(({ id, other, requests }) => [id, other, requests[3]]),
    [
      ['s1', false, 3000],
      ['s2', false, 3000],
    ],
  );
  const history = historyRecorder();
  traffic.run(1, { stable: HEALTHY });
  await reconcileAnalyses(deps({ history }));
  assert.deepEqual(history.of('shop/prod', VERSIONS)?.minutes, before.of('shop/prod', VERSIONS)?.minutes);
  services = [];
  const id = await rollout('shop');
  await passes(2, EQUAL, { history });
  assert.equal((await loadAnalyses(pg.database, '', 1))[0]?.rolloutId, id);
  assert.ok((await clump()) < 1.5, `${await clump()}`);
});

test('minutes are kept once by two workers, for an hour, and lanes apart', async () => {
  await pg.database.query('truncate lane_minutes');
  services = ['one', 'two'];
  const both = [historyRecorder(), historyRecorder()];
  for (let i = 0; i < 125; i++) {
    traffic.run(1, { stable: HEALTHY });
    for (const history of both) await reconcileAnalyses(deps({ history }));
  }
  const kept = await loadMinutes(pg.database, traffic.atMs);
  const names = kept.map(({ lane, instance, atMs }) => `${lane} ${instance} ${atMs}`);
  assert.equal(new Set(names).size, names.length);
  assert.equal(kept.length, 2 * 2 * 2);
  traffic.run(67 * 60, {});
  traffic.run(1, { stable: HEALTHY });
  await reconcileAnalyses(deps({ history: historyRecorder() }));
  assert.deepEqual(await loadMinutes(pg.database, traffic.atMs), []);
  await watchedFor(125, { history: historyRecorder() });
  const [{ left } = { left: 0 }] = await pg.database.query<{ left: number }>(
    'select count(*)::int as left from lane_minutes where at < $1',
    [new Date(traffic.atMs - 66 * 60_000)],
  );
  assert.equal(left, 0, 'what is older than an hour is forgotten');
});

test('a history that cannot be read or kept stops no analysis', async () => {
  const id = await rollout('shop');
  const broken = {
    ...pg.database,
    query: <Row>(text: string, values?: readonly unknown[]) =>
      text.includes('lane_minutes')
        ? Promise.reject(new Error('no such table'))
        : pg.database.query<Row>(text, values),
  };
  const history = historyRecorder();
  await reconcileAnalyses(deps({ database: broken, history }));
  await passes(65, BROKEN, { database: broken, history });
  assert.equal((await row(id)).verdict, 'fail');
});
