import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FULL } from './fixtures/api.ts';
import { largeMatrix } from './fixtures/matrix.ts';
import { BUILD, DIGEST, ROLLOUT } from './fixtures/names.ts';
import { PAGES } from './fixtures/pages.ts';
import { createHarness, expectAccessible, until } from './harness.ts';

const harness = createHarness();

const focused = (page: Page) =>
  page.evaluate(
    "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? '').trim()",
  );
const pathOf = (page: Page) => new URL(page.url()).pathname;

test('the first Tab offers to skip to the content', async () => {
  const { page } = await harness.open();
  await page.getByText('What changed').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Skip to the content');
  await page.keyboard.press('Enter');
  await until(
    'the content has the focus',
    async () => (await page.evaluate('document.activeElement.id')) === 'content',
  );
});

test('g m, g r, g a, g l, g p, g w go to the pages; not while typing', async () => {
  const { page } = await harness.open();
  await page.getByText('What changed').waitFor();
  for (const [key, path] of [
    ['r', '/rollouts'],
    ['a', '/approvals'],
    ['l', '/ledger'],
    ['p', '/policies'],
    ['w', '/why'],
    ['m', '/'],
  ] as const) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await until(path, () => pathOf(page) === path);
  }
  await page.keyboard.press('/');
  assert.equal(await focused(page), 'Filter services');
  await page.keyboard.type('gl');
  assert.equal(pathOf(page), '/');
  await until('the filter stands in the address', () => page.url().includes('q=gl'));
});

test('the palette finds services, releases, rollouts and pages', async () => {
  const { page } = await harness.open();
  await page.getByText('What changed').waitFor();
  await page.keyboard.press('Control+k');
  const box = page.getByRole('combobox', { name: 'Find' });
  await box.waitFor();
  await page
    .getByRole('option', { name: /shop → prod/ })
    .first()
    .waitFor();
  await expectAccessible(page, 'palette');
  await box.fill('release 13');
  await box.fill('mailer');
  await page.keyboard.press('Enter');
  await until('the service', () => pathOf(page) === '/services/mailer');
  await page.keyboard.press('Control+k');
  await box.fill('shop 14 reserve');
  await page.getByRole('option', { name: /#14/ }).waitFor();
  await page.keyboard.press('Enter');
  await until('the release', () => pathOf(page).startsWith('/releases/rel_'));
  await page.keyboard.press('Control+k');
  await box.fill('no such thing');
  await page.getByText('Nothing has that name.').waitFor();
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'detached' });
});

test('? lists the keys', async () => {
  const { page } = await harness.open();
  await page.getByText('What changed').waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await expectAccessible(page, 'help');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

test('the matrix is one tab stop; arrows move, Enter opens what moves', async () => {
  const { page } = await harness.open();
  const at = () =>
    page.evaluate("document.activeElement.dataset.cell ?? document.activeElement.dataset.service ?? ''");
  await page.locator('[data-cell="checkout/dev"]').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await until('two rows down', async () => (await at()) === 'shop/dev');
  await page.keyboard.press('End');
  await until('the last column', async () => (await at()) === 'shop/prod');
  await page.keyboard.press('Home');
  await until('the service', async () => (await at()) === 'shop');
  assert.equal(await page.locator('[role=grid] a[tabindex="0"]').count(), 1);
  await page.keyboard.press('End');
  await until('the last column again', async () => (await at()) === 'shop/prod');
  await page.keyboard.press('Enter');
  await until('its rollout', () => pathOf(page) === `/rollouts/${ROLLOUT}`);
});

test('500 services by 20 environments: quick, at most 3,000 nodes, every cell reached by keys', async () => {
  const { page } = await harness.open({
    api: { ...FULL, 'GET /v1/matrix': () => ({ json: largeMatrix(500, 20) }) },
    size: [1920, 1080],
  });
  await page.locator('[data-cell="service-001/env-01"]').focus();
  const nodes = () => page.evaluate('document.querySelectorAll("*").length') as Promise<number>;
  assert.ok((await nodes()) <= 3_000, `${await nodes()} nodes`);
  const grid = page.getByRole('grid');
  assert.equal(await grid.getAttribute('aria-rowcount'), '501');
  assert.equal(await grid.getAttribute('aria-colcount'), '21');
  for (let i = 0; i < 3; i++) await page.keyboard.press('PageDown');
  await page.keyboard.press('End');
  await until(
    'row 31, column 20',
    async () => (await page.evaluate('document.activeElement.dataset.cell')) === 'service-031/env-20',
  );
  await page.evaluate("document.querySelector('[role=grid]').scrollTop = 1e9");
  await page.getByText('service-500', { exact: true }).waitFor();
  assert.ok((await nodes()) <= 3_000, `${await nodes()} nodes at the end`);
  await page.getByRole('searchbox', { name: 'Filter services' }).fill('service-25');
  await page.getByText('service-250', { exact: true }).waitFor();
  assert.equal(await grid.getAttribute('aria-rowcount'), '11');
  await expectAccessible(page, 'large matrix');
});

test('the address holds filters, tabs, time zone and log line; a reload shows the same', async () => {
  const { page } = await harness.open({ path: `/builds/${BUILD}?step=test&q=checkout&tz=utc` });
  await page.getByText('1 of 1').waitFor();
  await page.getByRole('button', { name: /Times are in UTC/ }).waitFor();
  await page.keyboard.press('t');
  await page.getByRole('button', { name: /Times are local/ }).waitFor();
  assert.ok(page.url().includes('tz=local'));
  await page.getByRole('link', { name: 'Ledger' }).click();
  await until('the time zone is kept', () => pathOf(page) === '/ledger' && page.url().includes('tz=local'));
  await page.getByLabel('Kind').selectOption('approval.given');
  await page.getByText('1 entry').or(page.getByText('Approved in prod')).first().waitFor();
  await page.reload();
  await page.getByText('Approved in prod').waitFor();
  assert.equal(await page.getByText('Release 14 created').count(), 0);
});

test('times: relative, absolute with the zone on focus', async () => {
  const { page } = await harness.open({ path: `/artifacts/${DIGEST}?tz=utc` });
  const time = page.locator('time[data-absolute]').first();
  await time.waitFor();
  assert.match((await time.getAttribute('data-absolute')) ?? '', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  await page.keyboard.press('t');
  await until('local', async () => /[+-]\d\d:\d\d$/.test((await time.getAttribute('data-absolute')) ?? ''));
});

test('a chart is read by arrow keys, all charts at one moment, and as a table', async () => {
  const { page } = await harness.open({ path: `/rollouts/${ROLLOUT}` });
  const chart = page.getByRole('img', { name: /^Error rate over time/ });
  await chart.focus();
  await page.keyboard.press('ArrowLeft');
  await page.getByText(/^At \d\d:\d\d:\d\d$/).waitFor();
  await page.getByRole('img', { name: /^Latency p99 over time\. At the cursor/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('Latest look').waitFor();
  for (const summary of await page.getByText('The same as a table').all()) await summary.click();
  const table = page.getByRole('table', { name: 'Evidence by metric, look by look' });
  await table.waitFor();
  assert.ok((await table.getByRole('row').count()) > 100);
  await expectAccessible(page, 'rollout with tables');
});

test('the log is searched; hits are counted and walked', async () => {
  const { page } = await harness.open({ path: `/builds/${BUILD}` });
  await page.getByText('a cart adds up and has bounds').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('line 29');
  await page.getByText('1 of 11').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('2 of 11').waitFor();
  await page.getByText('line 290 of what the tests wrote').waitFor();
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.press('Shift+Enter');
  await page.getByText('11 of 11').waitFor();
});

test('the SBOM is searched and sorted', async () => {
  const { page } = await harness.open({ path: `/artifacts/${DIGEST}?tab=components` });
  await page.getByText('240 components').waitFor();
  await page.getByRole('button', { name: 'Version' }).click();
  await page
    .getByRole('columnheader', { name: 'Version' })
    .and(page.locator('[aria-sort=ascending]'))
    .waitFor();
  await page.getByRole('searchbox', { name: 'Search components' }).fill('apache package-22');
  await page
    .getByText('3 of 240')
    .or(page.getByText(/\d+ of 240/))
    .first()
    .waitFor();
  await page.getByRole('cell', { name: 'package-220', exact: true }).waitFor();
});

test('at 320 pixels no page scrolls sideways as a whole', async () => {
  const { page } = await harness.open({ size: [320, 700] });
  await page.getByText('What changed').waitFor();
  for (const { name, path, full } of PAGES) {
    await page.goto(new URL(path, page.url()).href);
    await page.getByText(full).first().waitFor();
    const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
    assert.ok(width <= 320, `${name}: ${width}`);
  }
});
