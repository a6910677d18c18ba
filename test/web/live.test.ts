import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FULL, problem } from './fixtures/api.ts';
import { fullMatrix } from './fixtures/matrix.ts';
import { ROLLOUT } from './fixtures/names.ts';
import { evidenceOf, rolledBack, rolloutOf } from './fixtures/rollout.ts';
import { createHarness, expectAccessible, until } from './harness.ts';

const harness = createHarness();
const PATH = `/rollouts/${ROLLOUT}`;

test('the matrix follows the stream: what moves, and how it ends, without a reload', async () => {
  const { page, site } = await harness.open();
  await until('the stream is open', () => site.streams() === 1);
  const cell = page.locator('[data-cell="shop/prod"]');
  assert.match((await cell.textContent()) ?? '', /#13.*healthy.*25 % #14 ramping, undecided/s);
  const next = fullMatrix();
  const shop = next.services.find((one) => one.name === 'shop')?.cells[2];
  assert.ok(shop?.current);
  shop.moving = null;
  shop.health = 'degraded';
  shop.last = {
    rolloutId: ROLLOUT,
    outcome: 'rolled-back',
    reason: 'errors: 2.1 %',
    releaseNumber: 14,
    at: next.at,
  };
  site.send('matrix', next);
  await page.getByText('#14 rolled back: errors: 2.1 %').waitFor();
  assert.match((await cell.textContent()) ?? '', /degraded/);
  assert.ok(await cell.getAttribute('href').then((href) => href?.startsWith('/services/shop')));
});

test('no row leaves the matrix while the pointer is over it', async () => {
  const { page, site } = await harness.open({ path: '/?show=moving' });
  await until('the stream is open', () => site.streams() === 1);
  const row = page.locator('[data-service="shop"]');
  await row.hover();
  const next = fullMatrix();
  for (const service of next.services) for (const cell of service.cells) cell.moving = null;
  site.send('matrix', next);
  await until('the filter counts none', async () =>
    /^0moving/.test((await page.getByRole('button', { name: /moving/ }).textContent()) ?? ''),
  );
  assert.ok(await row.isVisible());
  await page.getByRole('heading', { name: 'What runs where' }).hover();
  site.send('matrix', { ...next, at: new Date().toISOString() });
  await page.getByText('No service fits the filter').waitFor();
});

test('a rollout is followed to its end; the verdict comes first and in words', async () => {
  const { page, site, problems } = await harness.open({ path: PATH });
  await page.getByText('Undecided at 25 %: 1,240 more canary requests decide, about 62 s').waitFor();
  await until('the stream is open', () => site.streams() === 1);
  site.send('evidence', {
    rollout: ROLLOUT,
    points: evidenceOf('bad').points.map(({ point }, i) => ({ n: 100 + i, point })),
  });
  await page.getByText('Release 14 is worse: turning back').waitFor();
  site.send('rollout', rolledBack());
  await page.getByText('Rolled back: release 14 did not hold in prod').waitFor();
  await page.getByText(/All traffic was back on release 13 1\.0 s after the decision/).waitFor();
  assert.equal(
    await page.getByRole('button', { name: 'Abort' }).count(),
    0,
    'what has ended cannot be aborted',
  );
  assert.deepEqual(problems, []);
});

test('new ledger entries join the timeline, each once', async () => {
  const { page, site } = await harness.open({ path: PATH });
  await page.getByText('moving to 10 %').waitFor();
  await until('the stream is open', () => site.streams() === 1);
  const entry = {
    index: 40,
    kind: 'rollout.changed',
    at: new Date().toISOString(),
    actor: 'token:admin',
    service: 'shop',
    environment: 'prod',
    subject: ROLLOUT,
    leafHash: '00',
    body: { data: { reasons: ['moving to 50 %'], state: {}, actions: [] } },
  };
  site.send('entry', entry, 40);
  site.send('entry', entry, 40);
  await page.getByText('moving to 50 %').waitFor();
  assert.equal(await page.getByText('moving to 50 %').count(), 1);
});

test('a silent stream is said, and what is shown is asked for again when it is back', async () => {
  let away = false;
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'GET /v1/stream': (call) =>
        away ? problem(503, 'unreachable', 'away') : (FULL['GET /v1/stream'] as (typeof FULL)[string])(call),
    },
    path: '/rollouts',
  });
  await page.getByText('live', { exact: true }).waitFor();
  away = true;
  site.cutStreams();
  await page.getByText(/^stale \d+ s$/).waitFor();
  await expectAccessible(page, 'stale');
  const before = site.calls.filter((call) => call.path === '/v1/rollouts').length;
  away = false;
  await page.getByText('live', { exact: true }).waitFor();
  await until(
    'the list is asked for again',
    () => site.calls.filter((call) => call.path === '/v1/rollouts').length > before,
  );
});

test('many tabs hold one connection, and it moves on when its tab closes', async () => {
  const opened = await harness.open({ path: '/rollouts' });
  const { page, site } = opened;
  await until('the first tab has the stream', () => site.streams() === 1);
  const other = await harness.tab(opened, PATH);
  await other.getByText('Undecided at 25 %').waitFor();
  await until('the stream has what both want', () => site.streams() === 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(site.streams(), 1);
  site.send(
    'rollout',
    rolloutOf({ paused: { at: new Date().toISOString(), by: 'token:ada', reason: 'lunch' } }),
  );
  await other.getByText('Paused at 25 % by token:ada').waitFor();
  const before = site.streamsOpened();
  await page.close();
  await until(
    'the other tab has a stream of its own',
    () => site.streamsOpened() > before && site.streams() === 1,
  );
  site.send('rollout', rolledBack());
  await other.getByText('Rolled back: release 14').waitFor();
});

test('a session that ended leads to the sign-in form, and a token back in', async () => {
  let signedIn = true;
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'GET /v1/me': (call) =>
        signedIn
          ? (FULL['GET /v1/me'] as (typeof FULL)[string])(call)
          : problem(401, 'unauthenticated', 'this needs a token'),
      'GET /v1/stream': (call) =>
        signedIn
          ? (FULL['GET /v1/stream'] as (typeof FULL)[string])(call)
          : problem(401, 'unauthenticated', 'this needs a token'),
      'POST /v1/session': (call) => {
        signedIn = (call.body as { token: string }).token === 'slp_good';
        return signedIn
          ? { json: { actor: 'token:admin' } }
          : problem(401, 'unauthenticated', 'this token is unknown, expired or revoked');
      },
    },
    path: '/rollouts',
  });
  await page.getByText('shop → prod').first().waitFor();
  signedIn = false;
  site.cutStreams();
  const field = page.getByLabel('Token');
  await field.waitFor();
  await expectAccessible(page, 'sign-in');
  await field.fill('slp_bad');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('this token is unknown, expired or revoked').waitFor();
  await field.fill('slp_good');
  await page.keyboard.press('Enter');
  await page.getByText('shop → prod').first().waitFor();
});

test('a link with a token signs in, and leaves the token in no address and no history', async () => {
  const { page, site } = await harness.open({ path: '/login#slp_from_the_terminal' });
  await page.getByRole('heading', { name: 'What runs where' }).waitFor();
  const session = site.calls.find((call) => call.path === '/v1/session');
  assert.deepEqual(session?.body, { token: 'slp_from_the_terminal' });
  assert.ok(!page.url().includes('slp_'));
  const stored = await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })');
  assert.ok(!String(stored).includes('slp_'), 'no storage holds it');
  await page.goBack().catch(() => null);
  assert.ok(!page.url().includes('login'), 'the link is not in the history');
});
