import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sleep } from '../clock.ts';
import { createLogger } from '../log.ts';
import { type TestDatabase, testDatabase } from '../postgres/testing.ts';
import { migrateQueue, startQueue, wake, wakeLater } from './queue.ts';

let db: TestDatabase;
const log = createLogger('test', 'silent');
before(async () => {
  db = await testDatabase();
  await migrateQueue(db.url);
});
after(() => db.close());

async function until(what: () => boolean | Promise<boolean>, deadlineMs = 8_000): Promise<void> {
  for (const start = Date.now(); Date.now() - start < deadlineMs; await sleep(20)) if (await what()) return;
  assert.fail('it did not happen in time');
}

test('a wake-up is delivered after its transaction commits, and not when it rolls back', async () => {
  const seen: string[] = [];
  const worker = await startQueue({
    database: db.database,
    tasks: { look: async (id) => void seen.push(id) },
    concurrency: 2,
    log,
  });
  await db.database.transaction((tx) => wake(tx, 'look', 'kept'));
  await assert.rejects(
    db.database.transaction(async (tx) => {
      await wake(tx, 'look', 'lost');
      throw new Error('rolled back');
    }),
  );
  await until(() => seen.includes('kept'));
  await wake(db.database, 'look', 'last');
  await until(() => seen.includes('last'));
  assert.ok(!seen.includes('lost'));
  await worker.stop();
});

test('a later look does not delay one that is due', async () => {
  await wake(db.database, 'due', 'x');
  await wakeLater(db.database, 'due', 'x', Date.now() + 60_000);
  const seen: string[] = [];
  const worker = await startQueue({
    database: db.database,
    tasks: { due: async (id) => void seen.push(id) },
    concurrency: 1,
    log,
  });
  await until(() => seen.length === 1);
  await worker.stop();
});

test('the job of a worker that vanished is given to another within five seconds', async () => {
  await wake(db.database, 'orphan', 'x');
  await db.database.query(
    `update graphile_worker._private_jobs set locked_by = 'gone', locked_at = now() where key = 'orphan:x'`,
  );
  const seen: string[] = [];
  const started = Date.now();
  const worker = await startQueue({
    database: db.database,
    tasks: { orphan: async (id) => void seen.push(id) },
    concurrency: 1,
    log,
  });
  await until(() => seen.length === 1);
  assert.ok(Date.now() - started < 6_000);
  await worker.stop();
});

test('a job that takes longer than a worker may be silent is not run twice', async () => {
  let runs = 0;
  const task = async () => {
    runs++;
    await sleep(5_000);
  };
  const worker = await startQueue({ database: db.database, tasks: { long: task }, concurrency: 2, log });
  await wake(db.database, 'long', 'x');
  await until(
    async () => (await db.database.query('select 1 from graphile_worker._private_jobs')).length === 0,
    12_000,
  );
  assert.equal(runs, 1);
  await worker.stop();
});
