import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type Machine, openMachine } from '../../src/flow/machine.ts';
import { createDirectories, dataDirectory } from '../../src/platform/data-directory.ts';
import { createLogger } from '../../src/platform/log.ts';
import { freePort } from '../../src/platform/ports.ts';
import { type TestDatabase, testDatabase } from '../../src/platform/postgres/testing.ts';
import { migrateQueue } from '../../src/platform/queue/queue.ts';
import { type Server, startServer } from '../../src/server/main.ts';
import { append } from '../../src/support/ledger/append.ts';
import { ensureBuilt } from './built.ts';
import { launchChromium } from './chromium.ts';
import { ROLLOUT } from './fixtures/names.ts';
import { PAGES } from './fixtures/pages.ts';
import { PATIENCE_MS, until } from './harness.ts';
import { seed, sequence } from './seed.ts';

/** The built UI on the product's own server, with a database the fixtures were written into. */

let root: string;
let database: TestDatabase;
let machine: Machine;
let server: Server;
let browser: Browser;
let url: string;
let token: string;

before(async () => {
  await ensureBuilt();
  root = await mkdtemp(join(tmpdir(), 'slipway-web-'));
  const data = dataDirectory(root);
  await createDirectories(data);
  database = await testDatabase();
  await migrateQueue(database.url);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const nobody = await freePort();
  machine = await openMachine(
    data,
    {
      databaseUrl: database.url,
      server: { host: '127.0.0.1', port },
      router: { port: nobody },
      agent: { port: nobody },
      postgresPort: null,
      controlToken: 'x'.repeat(43),
    },
    createLogger('server', 'silent'),
    'server',
  );
  server = await startServer(machine);
  await seed(database.database, machine.ledger);
  token = (await readFile(data.adminTokenFile, 'utf8')).trim();
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await machine?.close();
  await database?.close();
  await rm(root, { recursive: true, force: true });
});

interface Session {
  page: Page;
  problems: string[];
}

async function signedIn(): Promise<Session> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const problems: string[] = [];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${url}/login#${token}`);
  await page.getByRole('heading', { name: 'What runs where' }).waitFor();
  return { page, problems };
}

test('the link of the terminal signs in; the session is a cookie no script can read', async () => {
  const { page, problems } = await signedIn();
  assert.ok(!page.url().includes('slp_'));
  assert.equal(await page.evaluate('document.cookie'), '');
  const [cookie] = await page.context().cookies();
  assert.ok(cookie?.httpOnly && cookie.sameSite === 'Strict');
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('every page arrives from the server itself, with nothing in the console, at its own address', async () => {
  const { page, problems } = await signedIn();
  const real = new Map<string, string | RegExp>([
    ['service rollouts', 'ramping'],
    ['service builds', 'from the cache'],
    ['release', 'Where it went'],
    ['build', 'critical path'],
    // Nothing was pushed to the registry of this test.
    ['artifact', 'Nothing is attached'],
    ['artifact components', 'There is no SBOM'],
    ['approvals', 'Nothing waits for a person'],
    ['ledger entry', 'proven'],
    ['why', 'shop in prod runs'],
  ]);
  for (const { name, path, full } of PAGES) {
    const answer = await page.goto(url + path);
    assert.equal(answer?.status(), 200, name);
    assert.match(answer?.headers()['content-security-policy'] ?? '', /script-src 'self'/);
    await page
      .getByText(real.get(name) ?? full)
      .first()
      .waitFor();
  }
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('changes in the database are on the page within seconds, without a reload', async () => {
  const { page } = await signedIn();
  await page.goto(`${url}/rollouts/${ROLLOUT}`);
  await page.getByText('Undecided at 25 %').waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByLabel('Reason').fill('looking');
  await page.keyboard.press('Enter');
  await until('the wish is stored', async () => {
    const [row] = await database.database.query<{ request: { kind: string; actor: string } | null }>(
      'select request from rollouts where id = $1',
      [ROLLOUT],
    );
    return row?.request?.kind === 'pause' && row.request.actor === 'token:admin';
  });
  await database.database.query(
    `update rollouts set state = state || $2, generation = generation + 1, updated_at = now() where id = $1`,
    [ROLLOUT, JSON.stringify({ paused: { atMs: Date.now(), by: 'token:admin', reason: 'looking' } })],
  );
  await page.getByText('Paused at 25 % by token:admin').waitFor();
  await database.database.transaction((tx) =>
    append(tx, {
      kind: 'rollout.changed',
      atMs: Date.now(),
      actor: 'system:worker',
      service: 'shop',
      environment: 'prod',
      subject: ROLLOUT,
      data: { reasons: ['a reason from the ledger'], state: {}, actions: [] },
    }),
  );
  await sequence(database.database, machine.ledger);
  await page.getByText('a reason from the ledger').waitFor();
  await page.context().close();
});

test('abort in production without the name is refused by the server; with it, it is done', async () => {
  const { page } = await signedIn();
  const refused = (await page.evaluate(
    `fetch('/v1/rollouts/${ROLLOUT}/abort', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"reason":"x"}' }).then((r) => r.status)`,
  )) as number;
  assert.equal(refused, 428);
  await page.goto(`${url}/rollouts/${ROLLOUT}`);
  await page.getByRole('button', { name: 'Abort' }).click();
  await page.getByLabel('Reason').fill('customers cannot pay');
  await page.getByLabel('Type prod to confirm').fill('prod');
  await page.getByRole('button', { name: 'Abort the rollout' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const [row] = await database.database.query<{ request: { kind: string; reason: string } }>(
    'select request from rollouts where id = $1',
    [ROLLOUT],
  );
  assert.deepEqual(
    { kind: row?.request.kind, reason: row?.request.reason },
    { kind: 'abort', reason: 'customers cannot pay' },
  );
  await page.context().close();
});

test('signing out ends the session here and at the server', async () => {
  const { page } = await signedIn();
  await page.getByRole('button', { name: /^Sign out/ }).click();
  await page.getByLabel('Token').waitFor();
  assert.equal(await page.evaluate("fetch('/v1/me').then((r) => r.status)"), 401);
  await page.context().close();
});

test('a session that was never there meets the form, and no data', async () => {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${url}/rollouts/${ROLLOUT}`);
  await page.getByLabel('Token').waitFor();
  assert.equal(await page.getByText('shop').count(), 0);
  await page.close();
});
