import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { EnvironmentConfig, PlatformConfig } from '../../kernel/config.ts';
import { sha256 } from '../../kernel/digest.ts';
import type { Route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { artifactRoutes } from './artifacts.ts';
import { matrixRoute } from './matrix.ts';
import { releaseRoutes } from './releases.ts';
import { createSampler } from './sampler.ts';
import { NEW, NOW, OLD, seed } from './views.testing.ts';
import { whyRoute } from './why.ts';

let db: TestDatabase;
let database: Database;

before(async () => {
  db = await testDatabase();
  database = db.database;
  await seed(database);
});
after(() => db.close());

const environment = (name: string, afterwards: string | null): EnvironmentConfig => ({
  name,
  after: afterwards,
  production: name === 'prod',
  policies: [],
  promotion: { automatic: true, soakS: 0, approvals: null, deadlineS: 3_600 },
  strategy: 'canary-standard',
  target: { kind: 'process' },
  listenPort: null,
  env: {},
});
const platform = async (): Promise<PlatformConfig> => ({
  environments: [environment('staging', null), environment('prod', 'staging')],
  strategies: [],
  policies: [],
  access: { roles: {}, grants: [] },
});

/** As the server does: the query by its schema, the answer by its own. */
async function get<Answer>(route: Route | undefined, query: object, params: object = {}): Promise<Answer> {
  assert.ok(route);
  const context = { nowMs: NOW } as never;
  const answer = await route.handle(context, { params, query: route.query?.parse(query), body: undefined });
  return route.response?.parse(answer) as Answer;
}

interface Matrix {
  services: {
    name: string;
    latest: { number: number; problem: string | null } | null;
    cells: {
      environment: string;
      health: string;
      healthReason: string;
      current: { releaseNumber: number; message: string } | null;
      moving: {
        rolloutId: string;
        weight: number;
        paused: boolean;
        verdict: string;
        releaseNumber: number;
      } | null;
      waiting: { promotionId: string; status: string; releaseNumber: number }[];
      last: { rolloutId: string; outcome: string } | null;
      url: string | null;
    }[];
  }[];
}
const matrix = (query: object = {}) => get<Matrix>(matrixRoute({ database, platform }), query);
const prod = async () => (await matrix()).services.find(({ name }) => name === 'shop')?.cells[1];

test('the matrix says what runs, what moves, what waits and what was last, for every service and environment', async () => {
  const { services } = await matrix();
  assert.deepEqual(
    services.map(({ name, cells }) => [name, cells.map((cell) => cell.environment)]),
    [
      ['idle', ['staging', 'prod']],
      ['shop', ['staging', 'prod']],
    ],
  );
  assert.deepEqual(
    services[0]?.cells.map(({ health }) => health),
    ['empty', 'empty'],
  );
  assert.deepEqual([services[1]?.latest?.number, services[1]?.latest?.problem], [4, 'a step failed']);
  const cell = await prod();
  assert.deepEqual(
    [cell?.current?.releaseNumber, cell?.current?.message, cell?.url],
    [1, 'change 1', 'http://127.0.0.1:8080/'],
  );
  assert.deepEqual(
    cell?.moving && [
      cell.moving.rolloutId,
      cell.moving.weight,
      cell.moving.paused,
      cell.moving.verdict,
      cell.moving.releaseNumber,
    ],
    ['rol_2', 10, true, 'inconclusive', 2],
  );
  assert.deepEqual(
    cell?.waiting.map(({ promotionId, status }) => [promotionId, status]),
    [['pro_3', 'awaiting-approval']],
  );
  assert.deepEqual([cell?.last?.rolloutId, cell?.last?.outcome], ['rol_1', 'succeeded']);
  assert.deepEqual(
    (await matrix({ service: 'idle' })).services.map(({ name }) => name),
    ['idle'],
  );
});

test('health is what the last seconds say, and silence is no health', async () => {
  assert.equal((await prod())?.health, 'no-data');
  const sampler = createSampler(database);
  const instance = (state: string) => ({ lane: 'shop/prod', state }) as never;
  const record = (
    seconds: number,
    states: string[],
    requests = 0,
    errors = 0,
    group: 'stable' | 'canary' = 'stable',
  ) =>
    sampler.record(
      {
        bootId: 'a',
        atMs: NOW - 9_000 + seconds * 1_000,
        lanes: [
          {
            lane: 'shop/prod',
            fence: 1,
            weights: { stable: 100, baseline: 0, canary: 0 },
            unrouted: 0,
            backends: [
              {
                id: 'a',
                group,
                digest: OLD,
                requests,
                errors,
                latency: [],
                latencySumS: 0,
                inFlight: 0,
                status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
              },
            ],
          },
        ],
      },
      states.map(instance),
    );
  await record(0, ['ready', 'ready']);
  assert.equal((await prod())?.health, 'healthy');
  await record(1, ['ready', 'starting'], 10);
  assert.deepEqual(
    [(await prod())?.health, (await prod())?.healthReason],
    ['degraded', '1 of 2 instances are ready'],
  );
  await record(2, ['ready', 'ready'], 110, 10);
  assert.match((await prod())?.healthReason ?? '', /10\.0 % of requests fail/);
  // After a takeover the traffic is on instances still called the canary.
  await record(3, ['ready', 'ready'], 210, 30, 'canary');
  assert.match((await prod())?.healthReason ?? '', /20\.0 % of requests fail/);
  await record(4, ['exited'], 210, 30);
  assert.equal((await prod())?.health, 'down');
  await database.query("update lane_samples set at = at - interval '1 minute'");
  assert.equal((await prod())?.health, 'no-data');
});

test('a lane that has just been taken over is not judged by a sample of the version before', async () => {
  await database.query("update lanes set since = $1 where environment = 'prod'", [new Date(NOW - 1_000)]);
  await database.query(
    `insert into lane_samples (service, environment, at, sample) values ('shop', 'prod', $1, $2)`,
    [
      new Date(NOW - 1_500),
      JSON.stringify({ groups: {}, weights: null, instances: { ready: 0, total: 1 }, unrouted: 0 }),
    ],
  );
  assert.deepEqual(
    [(await prod())?.health, (await prod())?.healthReason],
    ['healthy', 'it has just taken over with every instance ready'],
  );
  await database.query("update lanes set since = $1 where environment = 'prod'", [new Date(NOW - 5_000)]);
  assert.equal((await prod())?.health, 'down');
});

interface Why {
  digest: string;
  environment: string | null;
  runningIn: string[];
  chain: {
    kind: string;
    id: string;
    title: string;
    reasons: string[];
    entries: number[];
    actor: string | null;
  }[];
}
const why = (subject: string) => get<Why>(whyRoute({ database }), { subject });

test('why leads from running bytes back to the commit, whatever it is asked by', async () => {
  for (const subject of [
    'shop/prod',
    'http://127.0.0.1:8080/',
    'http://127.0.0.1:8080',
    OLD,
    'rol_1',
    'pro_1',
    OLD.slice(7, 27),
  ]) {
    const answer = await why(subject);
    assert.equal(answer.digest, OLD, subject);
    assert.deepEqual(answer.runningIn, ['prod']);
    assert.equal(answer.chain.at(-1)?.kind, 'commit');
    assert.equal(answer.chain.at(-1)?.id, '1'.repeat(40));
    assert.equal(answer.chain[0]?.kind, 'deployment');
  }
});

test('why names every decision, approval and entry on the way', async () => {
  const { chain, runningIn } = await why('rol_2');
  assert.deepEqual(runningIn, []);
  const of = (kind: string) => chain.filter((link) => link.kind === kind);
  assert.deepEqual(
    of('rollout').map(({ id }) => id),
    ['rol_2', 'rol_0'],
  );
  assert.match(of('rollout')[0]?.reasons.join() ?? '', /too little traffic/);
  assert.equal(of('rollout')[0]?.entries.length, 2);
  assert.match(of('approval')[0]?.title ?? '', /user:bob approved it for prod/);
  assert.match(of('decision')[0]?.reasons.join() ?? '', /sbom-present: warn, it is old/);
  assert.deepEqual(
    of('evidence').map(({ entries }) => entries.length),
    [1],
  );
  assert.equal(of('release')[0]?.actor, 'token:ann');
  assert.match(of('build')[0]?.reasons.join() ?? '', /bubblewrap/);
});

test('why knows nothing of what is not there, and says what it could be asked', async () => {
  for (const subject of [
    'nope',
    'shop/nowhere',
    'http://127.0.0.1:1/',
    'http://127.0.0.1/',
    sha256('x'),
    "'; drop table lanes; --",
    '%',
    'a'.repeat(12),
  ])
    await assert.rejects(
      why(subject),
      (error: { code: string; hint: string }) =>
        error.code === 'not_found' && /give service/.test(error.hint),
      subject,
    );
});

test('releases: newest first, by commit, with where each went', async () => {
  type Page = {
    releases: { number: number; buildId: string | null; promotions: { id: string; status: string }[] }[];
  };
  const [list, one] = releaseRoutes(database);
  const all = await get<Page>(list, {});
  assert.deepEqual(
    all.releases.map(({ number }) => number),
    [4, 3, 2, 1],
  );
  assert.deepEqual(
    all.releases[2]?.promotions.map(({ id, status }) => [id, status]),
    [['pro_2', 'rolling']],
  );
  assert.deepEqual([all.releases[0]?.buildId, all.releases[3]?.buildId], [null, 'bld_1']);
  const found = await get<Page>(list, { commit: '2222222', limit: 1 });
  assert.deepEqual(
    found.releases.map(({ number }) => number),
    [2],
  );
  assert.throws(() => list?.query?.parse({ commit: '%' }));
  await assert.rejects(get(one, {}, { release: 'rel_9' }), { code: 'not_found' });
});

test('an artifact: its evidence is judged at the moment it is asked for, in its own repository', async () => {
  const asked: string[] = [];
  const [list, one] = artifactRoutes({
    database,
    async collectEvidence(repository, digest) {
      asked.push(`${repository}@${digest}`);
      return [];
    },
  });
  type Artifact = {
    runningIn: string[];
    decisions: { id: string }[];
    rollouts: { id: string }[];
    buildId: string;
  };
  const found = await get<Artifact>(one, {}, { digest: NEW });
  assert.deepEqual(asked, [`shop@${NEW}`]);
  assert.deepEqual(
    [found.buildId, found.runningIn, found.decisions.map(({ id }) => id)],
    ['bld_2', [], ['dec_2']],
  );
  assert.deepEqual(found.rollouts.map(({ id }) => id).sort(), ['rol_0', 'rol_2']);
  assert.deepEqual((await get<Artifact>(one, {}, { digest: OLD })).runningIn, ['prod']);
  await assert.rejects(get(one, {}, { digest: sha256('x') }), { code: 'not_found' });
  const page = await get<{ artifacts: { digest: string }[] }>(list, { service: 'shop', limit: 2 });
  assert.deepEqual(
    page.artifacts.map(({ digest }) => digest),
    [sha256('third'), NEW],
  );
});
