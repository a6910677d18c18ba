import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROKEN, EMPTY, FULL } from './fixtures/api.ts';
import { PAGES } from './fixtures/pages.ts';
import { createHarness, expectAccessible } from './harness.ts';

const harness = createHarness();

for (const [state, api] of [
  ['full', FULL],
  ['empty', EMPTY],
] as const) {
  for (const { name, path, [state]: sign } of PAGES) {
    test(`${name}, ${state}: arrives, accessible in both themes, nothing in the console`, async () => {
      const { page, problems } = await harness.open({ api, path });
      await page.getByText(sign).first().waitFor();
      await expectAccessible(page, `${name} ${state} light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      await expectAccessible(page, `${name} ${state} dark`);
      assert.deepEqual(problems, []);
      await page.context().close();
    });
  }
}

for (const { name, path } of PAGES) {
  test(`${name}, failing: says so where it failed, with the request id and a way to try again`, async () => {
    const { page, problems } = await harness.open({ api: BROKEN, path });
    const failure = page.getByRole('alert').first();
    await failure.waitFor();
    assert.match((await failure.textContent()) ?? '', /something failed.*request req_01test/s);
    assert.ok(await page.getByRole('button', { name: 'Try again' }).first().isVisible());
    assert.ok(await page.getByRole('navigation', { name: 'Main' }).isVisible(), 'the rest of the page stays');
    await expectAccessible(page, `${name} failing light`);
    await page.emulateMedia({ colorScheme: 'dark' });
    await expectAccessible(page, `${name} failing dark`);
    assert.deepEqual(problems, []);
    await page.context().close();
  });
}

test('what failed is asked for again, and comes', async () => {
  let broken = true;
  const { page } = await harness.open({
    api: {
      ...FULL,
      'GET /v1/rollouts': (call) =>
        broken
          ? (BROKEN['GET .*'] as (typeof FULL)[string])(call)
          : (FULL['GET /v1/rollouts'] as (typeof FULL)[string])(call),
    },
    path: '/rollouts',
  });
  await page.getByRole('button', { name: 'Try again' }).waitFor();
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('shop → prod').first().waitFor();
});

test('while a page loads, its layout is there and the loading is announced', async () => {
  const { page } = await harness.open({ api: { ...FULL, 'GET /v1/matrix': () => ({ hang: true }) } });
  await page.getByRole('status', { name: 'Loading' }).waitFor();
  assert.ok(await page.getByRole('heading', { name: 'What runs where' }).isVisible());
  await expectAccessible(page, 'loading');
});

test('an unknown address and an unknown thing are said, not drawn empty', async () => {
  const { page } = await harness.open({ path: '/nothing/here' });
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  await page.goto(new URL('/ledger/999', page.url()).href);
  await page.getByText('the ledger has no entry 999').waitFor();
});
