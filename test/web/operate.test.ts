import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FULL, problem } from './fixtures/api.ts';
import { promotionOf } from './fixtures/delivery.ts';
import { PROMOTION, ROLLOUT } from './fixtures/names.ts';
import { rolloutOf } from './fixtures/rollout.ts';
import { createHarness, expectAccessible, until } from './harness.ts';

const harness = createHarness();
const PATH = `/rollouts/${ROLLOUT}`;

test('pause: what it means, a reason, and the answer shown', async () => {
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'POST /v1/rollouts/:r/pause': (call) => ({
        json: rolloutOf({
          paused: {
            at: new Date().toISOString(),
            by: 'token:admin',
            reason: (call.body as { reason: string }).reason,
          },
        }),
      }),
    },
    path: PATH,
  });
  await page.getByRole('button', { name: 'Pause' }).click();
  const dialog = page.getByRole('dialog', { name: 'Pause the rollout in prod' });
  await dialog.getByText('It stays at 25 % of traffic').waitFor();
  await dialog.getByText('Resume goes on from here.').waitFor();
  await expectAccessible(page, 'pause dialog');
  const confirm = dialog.getByRole('button', { name: 'Pause' });
  assert.ok(await confirm.isDisabled(), 'not without a reason');
  await dialog.getByLabel('Reason').fill('looking at the logs');
  await page.keyboard.press('Enter');
  await page.getByText('Paused at 25 % by token:admin').waitFor();
  await dialog.waitFor({ state: 'detached' });
  const sent = site.calls.find((call) => call.path.endsWith('/pause'));
  assert.deepEqual(sent?.body, { reason: 'looking at the logs' });
  await page.getByRole('button', { name: 'Resume' }).waitFor();
});

test('abort in production: the consequence, the name typed, the refusal of the server shown in place', async () => {
  let refuse = true;
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'POST /v1/rollouts/:r/abort': () =>
        refuse
          ? problem(409, 'invalid_state', 'a rollout that is finishing cannot abort', 'use slipway rollback')
          : { json: rolloutOf({ phase: 'rolling-back', weights: { stable: 95, baseline: 0, canary: 5 } }) },
    },
    path: PATH,
  });
  await page.getByRole('button', { name: 'Abort' }).click();
  const dialog = page.getByRole('dialog', { name: 'Abort the rollout in prod' });
  await dialog.getByText('All traffic returns to release 13 (now 25 % is on the new version)').waitFor();
  await expectAccessible(page, 'abort dialog');
  const confirm = dialog.getByRole('button', { name: 'Abort the rollout' });
  await dialog.getByLabel('Reason').fill('customers cannot pay');
  await dialog.getByLabel('Type prod to confirm').fill('pro');
  assert.ok(await confirm.isDisabled(), 'not with half the name');
  await dialog.getByLabel('Type prod to confirm').fill('prod');
  await confirm.click();
  await dialog.getByText('a rollout that is finishing cannot abort').waitFor();
  await dialog.getByText('use slipway rollback').waitFor();
  refuse = false;
  await confirm.click();
  await page.getByText('Turning back to release 13: 5 % of traffic left to return').waitFor();
  const sent = site.calls.findLast((call) => call.path.endsWith('/abort'));
  assert.deepEqual(sent?.body, { reason: 'customers cannot pay', confirm: 'prod' });
});

test('Escape closes a dialog, changes nothing, and gives the focus back', async () => {
  const { page, site } = await harness.open({ path: PATH });
  const abort = page.getByRole('button', { name: 'Abort' });
  await abort.focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Reason').fill('half a thought');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until(
    'the focus is back',
    async () => (await page.evaluate('document.activeElement.textContent')) === ' Abort',
  );
  assert.ok(site.calls.every((call) => call.method === 'GET'));
  await page.keyboard.press('Enter');
  assert.equal(await page.getByLabel('Reason').inputValue(), '', 'nothing of it is left');
});

test('rollback: targets safe and unsafe with the reason; an unsafe one wants one more yes', async () => {
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'POST /v1/services/:s/environments/:e/rollback': () => ({
        status: 201,
        json: promotionOf({ kind: 'rollback' }),
      }),
    },
    path: '/services/shop',
  });
  await page.getByRole('region', { name: 'prod' }).getByRole('button', { name: 'Roll back' }).click();
  const dialog = page.getByRole('dialog', { name: 'Roll back shop in prod' });
  await dialog.getByText('safe: it ran here').waitFor();
  await dialog.getByText('Takes away').waitFor();
  await expectAccessible(page, 'rollback dialog');
  await dialog.getByRole('radio').nth(1).check();
  await dialog.getByText('It is not safe: its image is not in the registry any more').waitFor();
  await dialog.getByRole('checkbox').check();
  await dialog.getByLabel('Reason').fill('checkout is broken');
  await dialog.getByLabel('Type prod to confirm').fill('prod');
  await dialog.getByRole('button', { name: 'Roll back' }).click();
  await dialog.waitFor({ state: 'detached' });
  const sent = site.calls.find((call) => call.path === '/v1/services/shop/environments/prod/rollback');
  assert.deepEqual(
    { ...(sent?.body as object), to: '' },
    { to: '', reason: 'checkout is broken', unsafe: true, confirm: 'prod' },
  );
});

test('promote: the release chosen, what it brings, and how', async () => {
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'POST /v1/services/:s/environments/:e/promotions': () => ({ status: 201, json: promotionOf() }),
    },
    path: '/services/shop',
  });
  await page.getByRole('region', { name: 'prod' }).getByRole('button', { name: 'Promote' }).click();
  const dialog = page.getByRole('dialog', { name: 'Promote shop to prod' });
  await dialog.getByText('Brings 1 release, from #13 to #14').waitFor();
  await expectAccessible(page, 'promote dialog');
  assert.equal(
    await dialog.getByRole('option').count(),
    3,
    'a release without an artifact cannot be promoted',
  );
  await dialog.getByLabel('Hotfix').check();
  await dialog.getByRole('button', { name: 'Promote' }).click();
  await dialog.waitFor({ state: 'detached' });
  const sent = site.calls.find((call) => call.path === '/v1/services/shop/environments/prod/promotions');
  assert.deepEqual({ ...(sent?.body as object), release: '' }, { release: '', kind: 'hotfix' });
});

test('approve and reject say what the answer means; the answer goes to the server', async () => {
  const { page, site } = await harness.open({
    api: {
      ...FULL,
      'POST /v1/promotions/:p/approve': () =>
        problem(403, 'forbidden', 'the author or requester may not approve their own change'),
      'POST /v1/promotions/:p/reject': () => ({ json: promotionOf({ status: 'rejected' }) }),
    },
    path: '/approvals',
  });
  await page.getByRole('button', { name: 'Approve' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('exactly this commit, artifact, environment and policy').waitFor();
  await dialog.getByRole('button', { name: 'Approve' }).click();
  await dialog.getByText('the author or requester may not approve their own change').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Reject' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('not on a Friday');
  await page.getByRole('dialog').getByRole('button', { name: 'Reject' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const sent = site.calls.find((call) => call.path === `/v1/promotions/${PROMOTION}/reject`);
  assert.deepEqual(sent?.body, { reason: 'not on a Friday' });
});

test('the whole log is verified on request, and what is wrong is named', async () => {
  let sound = true;
  const report = { size: 12, root: 'ab', checkpoints: 3, truncated: false, artifacts: null };
  const { page } = await harness.open({
    api: {
      ...FULL,
      'POST /v1/ledger/verify': () => ({
        json: sound
          ? { ok: true, problems: [], ...report }
          : {
              ok: false,
              problems: [{ where: 'entry', at: '7', problem: 'its bytes do not hash to its leaf' }],
              ...report,
            },
      }),
    },
    path: '/ledger',
  });
  await page.getByRole('button', { name: 'Verify everything' }).click();
  await page.getByText('Sound: 12 entries, 3 signed heads').waitFor();
  sound = false;
  await page.getByRole('button', { name: 'Verify everything' }).click();
  await page.getByText('entry 7: its bytes do not hash to its leaf').waitFor();
});

test('a proof that does not hold is not called proven, whatever the server says', async () => {
  const { page } = await harness.open({
    api: {
      ...FULL,
      'GET /v1/ledger/entries/:i/proof': (call, index) => {
        const { json } = (FULL['GET /v1/ledger/entries/:i/proof'] as (typeof FULL)[string])(
          call,
          index as string,
        ) as { json: { body: string } };
        return {
          json: {
            ...json,
            body: Buffer.from('{"kind":"approval.given","actor":"user:mallory"}').toString('base64'),
          },
        };
      },
    },
    path: '/ledger/7',
  });
  await page.getByText('not proven').waitFor();
  await page.getByText('The bytes hash to the leaf: no').waitFor();
});
