import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { ServiceConfig } from '../kernel/config.ts';
import { sha256 } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { createLogger } from '../platform/log.ts';
import type { Database } from '../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../platform/postgres/testing.ts';
import { append } from '../support/ledger/append.ts';
import { createRelease, type ReleaseDeps, reconcileRelease } from './releases.ts';

const SHA = 'a'.repeat(40);
const DIGEST = sha256('image');
const STAGES = ['readConfig', 'build', 'attest', 'scan', 'promoteFirst'] as const;
type Stage = (typeof STAGES)[number];

let db: TestDatabase;
let database: Database;
let nowMs: number;
let woken: string[];
let later: number[];
let calls: string[];
let abandoned: unknown[];
/** What a stage throws; null: nothing. */
let failing: Partial<Record<Stage, unknown>>;
const clock: Clock = { nowMs: () => nowMs, random: systemClock.random };

before(async () => {
  db = await testDatabase();
  database = db.database;
});
after(() => db.close());

beforeEach(async () => {
  nowMs = Date.UTC(2026, 0, 1);
  woken = [];
  later = [];
  calls = [];
  abandoned = [];
  failing = {};
  await database.query(
    'truncate promotions, artifacts, builds, releases, commits, services, ledger_pending cascade',
  );
  await database.query(
    `insert into services (name, repository_url, branch, created_at) values ('shop', 'file:///none', 'main', now())`,
  );
  await commit(SHA);
});

async function commit(sha: string): Promise<void> {
  await database.query(
    `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
     values ('shop', $1, '{}', 'Ann', 'ann@example.org', now(), 'x', 'none', 'refs/heads/main', now())`,
    [sha],
  );
}

function stage(name: Stage): void {
  calls.push(name);
  if (failing[name] !== undefined) throw failing[name];
}

const deps = (): ReleaseDeps => ({
  database,
  clock,
  log: createLogger('test', 'silent'),
  append,
  async wakeRelease(_tx, id) {
    woken.push(id);
  },
  async wakeReleaseLater(_tx, _id, atMs) {
    later.push(atMs);
  },
  async readConfig() {
    stage('readConfig');
    return { config: { name: 'shop' } as ServiceConfig, digest: sha256('config') };
  },
  async build(buildId) {
    stage('build');
    return { buildId, repository: 'shop', digest: DIGEST, mediaType: 'application/json', sizeBytes: 10 };
  },
  async abandon(_id, error) {
    abandoned.push(error);
  },
  async attest() {
    stage('attest');
  },
  async scan() {
    stage('scan');
  },
  async promoteFirst(tx, { id, digest }) {
    await tx.query(
      `insert into promotions (id, service, environment, digest, release_id, kind, status, requested_by, created_at, status_at, deadline_at)
       values ('pro_1', 'shop', 'dev', $1, $2, 'planned', 'waiting', 'x', now(), now(), now())`,
      [digest, id],
    );
    stage('promoteFirst');
  },
});

const create = (sha = SHA) =>
  database.transaction((tx) =>
    createRelease(deps(), tx, { service: 'shop', sha, actor: 'token:ann', atMs: nowMs }),
  );
const carry = (id: string, signal = new AbortController().signal) => reconcileRelease(deps(), id, signal);

interface Row {
  status: string;
  problem: string | null;
  digest: string | null;
  number: number;
  finished_at: Date | null;
}
const rowOf = async (id: string) =>
  (await database.query<Row>('select * from releases where id = $1', [id]))[0]!;
const count = async (table: string) =>
  (await database.query<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n;
const kinds = async () =>
  (await database.query<{ kind: string }>('select kind from ledger_pending order by id')).map(
    ({ kind }) => kind,
  );

test('a commit has one release, however often and by however many it is made', async () => {
  const ids = await Promise.all([create(), create(), create()]);
  assert.equal(new Set([...ids, await create()]).size, 1);
  assert.deepEqual([await count('releases'), woken.length, await kinds()], [1, 1, ['release.created']]);
});

test('numbers count up without a gap or a double, also at once', async () => {
  const shas = Array.from({ length: 8 }, (_, n) => String(n).repeat(40));
  for (const sha of shas) await commit(sha);
  const ids = await Promise.all(shas.map((sha) => create(sha)));
  const numbers = await Promise.all(ids.map(async (id) => (await rowOf(id)).number));
  assert.deepEqual(numbers.sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('from commit to artifact, and on to the first environments', async () => {
  const id = await create();
  await carry(id);
  const row = await rowOf(id);
  assert.deepEqual([row.status, row.digest, row.problem], ['built', DIGEST, null]);
  assert.deepEqual(calls, [...STAGES]);
  assert.deepEqual(await kinds(), ['release.created', 'artifact.registered', 'release.built']);
  await carry(id);
  assert.deepEqual(calls, [...STAGES], 'a finished one is left alone');
});

for (const name of STAGES) {
  test(`a worker that dies at ${name}: the next goes on, and nothing is there twice`, async () => {
    const id = await create();
    const dying = new AbortController();
    failing = { [name]: new Error('the process ends') };
    dying.abort();
    await assert.rejects(carry(id, dying.signal), /the process ends/);
    assert.equal((await rowOf(id)).finished_at, null);
    failing = {};
    await carry(id);
    assert.equal((await rowOf(id)).status, 'built');
    assert.deepEqual(await Promise.all(['builds', 'artifacts', 'promotions'].map(count)), [1, 1, 1]);
    assert.deepEqual(await kinds(), ['release.created', 'artifact.registered', 'release.built']);
  });

  test(`a failure at ${name} that may pass is said, and tried again until an hour has passed`, async () => {
    const id = await create();
    failing = {
      [name]: new SlipwayError('unreachable', 'the registry does not answer', { hint: 'start it' }),
    };
    await carry(id);
    const waiting = await rowOf(id);
    assert.equal(waiting.finished_at, null);
    assert.match(waiting.problem ?? '', /tried again by itself: the registry does not answer\nstart it/);
    assert.ok((later.at(-1) ?? 0) > nowMs);
    nowMs += 3_600_000;
    await carry(id);
    const ended = await rowOf(id);
    assert.deepEqual([ended.status, await kinds().then((all) => all.at(-1))], ['failed', 'release.failed']);
    assert.equal(await count('promotions'), 0);
    assert.equal(abandoned.length, 1);
  });

  test(`a failure at ${name} that is final ends the release with what to do`, async () => {
    const id = await create();
    failing = {
      [name]: new SlipwayError('invalid_config', 'the configuration has errors', {
        hint: 'run slipway validate',
        diagnostics: [
          {
            path: 'build.steps',
            message: 'expected a list',
            position: { file: 'slipway.yaml', line: 3, column: 5 },
          },
        ],
      }),
    };
    await carry(id);
    const { status, problem } = await rowOf(id);
    assert.equal(status, 'failed');
    assert.match(
      problem ?? '',
      /the configuration has errors\n.*slipway\.yaml:3:5.*\n(.*\n)*run slipway validate/,
    );
    const before = calls.length;
    await carry(id);
    assert.equal(calls.length, before);
  });
}

test('a cancelled build cancels the release; what nobody foresaw gives no inner words away', async () => {
  const first = await create();
  failing = { build: new SlipwayError('cancelled', 'cancelled by user:ann') };
  await carry(first);
  assert.deepEqual([(await rowOf(first)).status, (await kinds()).at(-1)], ['cancelled', 'release.cancelled']);
  await commit('b'.repeat(40));
  const second = await create('b'.repeat(40));
  failing = { build: new TypeError('secret of undefined') };
  await carry(second);
  const { status, problem } = await rowOf(second);
  assert.equal(status, 'failed');
  assert.doesNotMatch(problem ?? '', /secret/);
});

test('two commits that build to the same bytes share the artifact, which keeps its first commit', async () => {
  await carry(await create());
  await commit('b'.repeat(40));
  await database.query('delete from promotions');
  const second = await create('b'.repeat(40));
  await carry(second);
  assert.equal((await rowOf(second)).digest, DIGEST);
  const [artifact] = await database.query('select commit_sha from artifacts');
  assert.deepEqual(artifact, { commit_sha: SHA });
  assert.equal((await kinds()).filter((kind) => kind === 'artifact.registered').length, 1);
});

test('a promotion that cannot be opened leaves the release unbuilt: both happen or neither', async () => {
  const id = await create();
  failing = { promoteFirst: new SlipwayError('unreachable', 'away') };
  await carry(id);
  const { status, digest } = await rowOf(id);
  assert.deepEqual([status, digest, await count('promotions')], ['building', null, 0]);
});
