import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Digest, digestHex } from '../../src/kernel/digest.ts';
import { dataDirectory } from '../../src/platform/data-directory.ts';
import { lastLayer } from './harness/images.ts';
import { createInstallation, type Installation } from './harness/installation.ts';
import { assertSound, instances, verifyLedger } from './harness/laws.ts';
import { until } from './harness/until.ts';
import { prepare, readRelease, release } from './harness/work.ts';

let installation: Installation;
let digest: Digest;

before(async () => {
  installation = await createInstallation();
  await installation.start();
  const { first } = await prepare(installation, 'app', { automatic: false });
  const id = await release(installation, 'app', first);
  const built = await until('the release is built', async () => {
    const view = await readRelease(installation, id);
    return view.status === 'built' ? view : null;
  });
  digest = built.digest as Digest;
});
after(() => installation?.close());

/** Another bit in the middle of the file; gives the way back. */
async function flip(path: string): Promise<() => Promise<void>> {
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  const write = async (value: number) => {
    const file = await open(path, 'r+');
    await file.write(Buffer.from([value]), 0, 1, at);
    await file.close();
  };
  await write(bytes[at]! ^ 1);
  return () => write(bytes[at]!);
}

interface Ended {
  status: string;
  reason: string | null;
  rolloutId: string | null;
  endedAt: string | null;
}

async function promote(environment: string): Promise<Ended> {
  const { id } = await installation
    .api()
    .post<{ id: string }>(`/v1/services/app/environments/${environment}/promotions`, { release: '1' });
  return until('the promotion ends', async () => {
    const promotion = await installation.api().get<Ended>(`/v1/promotions/${id}`);
    return promotion.endedAt === null ? null : promotion;
  });
}

test('a byte of an image flipped in the store: refused before it runs, by digest; named by the verification', async () => {
  const layer = await lastLayer(installation, 'app', digest);
  const hex = digestHex(layer);
  const restore = await flip(join(dataDirectory(installation.root).blobs, 'sha256', hex.slice(0, 2), hex));
  const refused = await promote('edge');
  assert.equal(refused.status, 'failed');
  assert.ok(refused.reason?.includes(hex), `the digest is named: ${refused.reason}`);
  assert.deepEqual(await instances(installation, 'app/edge'), [], 'nothing of it runs');
  const report = await verifyLedger(installation);
  assert.deepEqual(
    report.artifacts?.problems.map((problem) => problem.digest),
    [layer],
  );
  assert.deepEqual([report.ok, report.problems], [false, []], 'the ledger itself is sound');
  await restore();
  assert.equal((await promote('edge')).status, 'succeeded');
  await assertSound(installation);
});

const FLIPS: readonly [string, string, RegExp][] = [
  [
    'an entry',
    `update ledger_entries set body = set_byte(body, 20, get_byte(body, 20) # 1) where index = 3`,
    /^entry 3$/,
  ],
  [
    'a tile',
    `update ledger_tiles set hashes = set_byte(hashes, 5, get_byte(hashes, 5) # 1) where level = 0 and index = 0`,
    /^tile 0\/0$/,
  ],
  [
    'a checkpoint',
    `update ledger_checkpoints set root = set_byte(root, 5, get_byte(root, 5) # 1)
     where size = (select min(size) from ledger_checkpoints)`,
    /^checkpoint \d+$/,
  ],
  [
    'a signed note',
    `update ledger_checkpoints set note = overlay(note placing 'A' from length(note) - 10 for 1)
     where size = (select min(size) from ledger_checkpoints)`,
    /^checkpoint \d+$/,
  ],
];

test('a flipped byte in the ledger is named by the place it is in', async () => {
  const database = installation.database();
  const tables = ['ledger_entries', 'ledger_tiles', 'ledger_checkpoints'];
  for (const [what, sql, place] of FLIPS) {
    await database.transaction(async (tx) => {
      for (const table of tables) await tx.query(`create table kept_${table} as table ${table}`);
      await tx.query(sql);
    });
    const { ok, problems } = await verifyLedger(installation);
    // Back before anything is asserted; what was appended meanwhile stays.
    await database.transaction(async (tx) => {
      await tx.query(
        'update ledger_entries e set body = k.body from kept_ledger_entries k where k.index = e.index',
      );
      await tx.query(
        `update ledger_tiles t set hashes = k.hashes from kept_ledger_tiles k
         where (k.level, k.index, k.width) = (t.level, t.index, t.width)`,
      );
      await tx.query(
        'update ledger_checkpoints c set root = k.root, note = k.note from kept_ledger_checkpoints k where k.size = c.size',
      );
      for (const table of tables) await tx.query(`drop table kept_${table}`);
    });
    assert.equal(ok, false, what);
    assert.match(`${problems[0]?.where} ${problems[0]?.at}`, place, what);
  }
  assert.deepEqual((await verifyLedger(installation)).problems, []);
});

test('a ledger that was cut: nothing is appended, seen in the health and named; healed when it is whole again', async () => {
  const database = installation.database();
  const health = () =>
    installation
      .api()
      .get<{ status: string; problems: { part: string; code: string; problem: string }[] }>('/v1/health');
  assert.equal((await health()).status, 'ok');
  const [head] = await database.query<{ size: number; previous: number }>(
    'select max(size) as size, (select max(size) from ledger_checkpoints where size < (select max(size) from ledger_checkpoints)) as previous from ledger_checkpoints',
  );
  const { size, previous } = head!;
  const cut = { ledger_entries: `index >= ${previous}`, ledger_checkpoints: `size > ${previous}` };
  await database.transaction(async (tx) => {
    for (const [table, rows] of Object.entries(cut)) {
      await tx.query(`create table cut_${table} as select * from ${table} where ${rows}`);
      await tx.query(`delete from ${table} where ${rows}`);
    }
  });
  const worker = installation.pid('worker');
  const degraded = await until('the health says so', async () => {
    const answer = await health();
    return answer.status === 'degraded' ? answer : null;
  });
  assert.deepEqual(
    degraded.problems.map(({ part, code }) => [part, code]),
    [['ledger', 'tampered']],
  );
  assert.match(
    degraded.problems[0]!.problem,
    new RegExp(`${previous} entries, and this machine has signed ${size}`),
  );
  // Acknowledged still, with its entry waiting.
  await installation.api().post('/v1/tokens', { name: 'meanwhile' });
  const { ok, problems } = await verifyLedger(installation);
  assert.equal(ok, false);
  assert.ok(
    problems.some(({ where, at }) => where === 'head' && at === String(size)),
    JSON.stringify(problems),
  );
  await until('the worker says so in its log', async () =>
    /the ledger is refused: .*tampered|"code":"tampered".*the ledger is refused/.test(
      await readFile(join(installation.root, 'logs', 'worker.log'), 'utf8'),
    ),
  );
  const [now] = await database.query<{ last: number; pending: number }>(
    'select (select max(index) from ledger_entries) as last, (select count(*) from ledger_pending) as pending',
  );
  assert.equal(now?.last, previous - 1, 'nothing was appended');
  assert.ok(now!.pending > 0);
  assert.equal(installation.pid('worker'), worker, 'the worker goes on');
  await database.transaction(async (tx) => {
    for (const table of Object.keys(cut)) {
      await tx.query(`insert into ${table} select * from cut_${table}`);
      await tx.query(`drop table cut_${table}`);
    }
  });
  await until('the health is good again', async () => (await health()).status === 'ok');
  await assertSound(installation);
  assert.equal((await promote('dev')).status, 'succeeded', 'and work goes on');
});
