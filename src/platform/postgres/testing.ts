import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { freePort } from '../ports.ts';
import { type Database, openDatabase } from './database.ts';
import { type EmbeddedPostgres, ensureDatabase, startPostgres } from './embedded.ts';
import { migrate } from './migrate.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));

export interface TestDatabase {
  database: Database;
  url: string;
  close(): Promise<void>;
}

let server: Promise<string> | undefined;

/**
 * A fresh, migrated database on a real PostgreSQL 18: the one of SLIPWAY_TEST_POSTGRES_URL (script/test starts it once),
 * else one started for this test process, which ends with it. Copies a migrated template, so it takes about 100 ms.
 */
export async function testDatabase(): Promise<TestDatabase> {
  server ??= process.env.SLIPWAY_TEST_POSTGRES_URL
    ? Promise.resolve(process.env.SLIPWAY_TEST_POSTGRES_URL)
    : startTestServer().then((started) => started.url);
  const serverUrl = await server;
  const template = await ensureTemplate(serverUrl);
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(serverUrl, `create database ${name} template ${template}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const database = openDatabase(url.href, { applicationName: 'test' });
  return {
    database,
    url: url.href,
    async close() {
      await database.close();
      await administer(serverUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

/** A throw-away server (fsync off) that ends with this process. */
export async function startTestServer(): Promise<EmbeddedPostgres> {
  const home = mkdtempSync(join(tmpdir(), 'slipway-pg-'));
  const started = await startPostgres({
    directory: join(home, 'cluster'),
    port: await freePort(),
    unref: true,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' },
  });
  process.once('exit', () => {
    endServer(started.pid);
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  });
  return started;
}

/** In an exit handler nothing asynchronous runs: wait by polling until the server has gone. */
function endServer(pid: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  try {
    process.kill(pid, 'SIGQUIT');
    for (let i = 0; i < 200; i++) {
      process.kill(pid, 0);
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return;
      Atomics.wait(pause, 0, 0, 10);
    }
  } catch {
    // it has ended
  }
}

/** One template per content of migrations/; made once under a lock, however many test processes ask. */
async function ensureTemplate(serverUrl: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(MIGRATIONS).sort())
    hash.update(name).update(readFileSync(join(MIGRATIONS, name)));
  const template = `template_${hash.digest('hex').slice(0, 16)}`;
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(7220611)');
    const ready = await client.query('select 1 from pg_database where datname = $1 and datistemplate', [
      template,
    ]);
    if (ready.rowCount === 0) {
      await client.query(`drop database if exists ${template}`);
      const database = openDatabase(await ensureDatabase(serverUrl, template));
      await migrate(database, MIGRATIONS);
      await database.close();
      await client.query(`alter database ${template} is_template true`);
    }
  } finally {
    await client.end();
  }
  return template;
}

async function administer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
