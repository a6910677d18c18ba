import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECURITY_HEADERS } from '../../src/server/origin.ts';
import { type Api, apiOf, FULL, problem } from './fixtures/api.ts';
import { PAGES } from './fixtures/pages.ts';
import { createHarness } from './harness.ts';

const harness = createHarness();

const HOSTILE =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is meant to look like one
  '<img src=x onerror="globalThis.owned=1"><script>globalThis.owned=1</script>"\'><svg onload=globalThis.owned=1> ${globalThis.owned=1} {{7*7}} javascript:globalThis.owned=1 \u202e\u0000';
/** Texts that come from outside: commits, logs, manifests, reasons, names in predicates. */
const FIELDS = new Set([
  'message',
  'author',
  'authorEmail',
  'reason',
  'problem',
  'healthReason',
  'description',
  'allow',
  'title',
  'text',
  'ref',
  'verdictReason',
  'actor',
  'requestedBy',
  'createdBy',
  'pollProblem',
  'version',
  'purl',
  'id',
  'sandbox',
  'policy',
  'key',
]);
const ADDRESSES = new Set(['repository', 'repositoryUrl', 'url', 'uri']);
const KEPT = /^(?:rol|rel|bld|pro|dec)_[0-9a-z]+$/;

/** Every text of an answer replaced, where the outside world chooses it. */
function poison(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    if (ADDRESSES.has(key)) return `javascript:globalThis.owned=1//${value}`;
    return FIELDS.has(key) && !KEPT.test(value) ? HOSTILE : value;
  }
  if (Array.isArray(value)) return value.map((item) => poison(item, key === 'reasons' ? 'reason' : key));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, poison(member, name)]));
  return value;
}

const full = apiOf(FULL);
const poisoned: Api = async (call) => {
  const answer = await full(call);
  if (
    'json' in answer &&
    call.path !== '/v1/me' &&
    call.path !== '/v1/ledger/keys' &&
    !call.path.endsWith('/proof')
  )
    return { ...answer, json: poison(answer.json) };
  return 'text' in answer ? { text: `${HOSTILE}\n${answer.text}` } : answer;
};

for (const { name, path } of PAGES) {
  test(`${name}: whatever the outside world wrote is text`, async () => {
    const { page, problems } = await harness.open({ api: poisoned, path });
    await page.getByText('<script>globalThis.owned=1</script>').or(page.getByText(/shop/)).first().waitFor();
    await page.waitForLoadState('networkidle').catch(() => null);
    for (const summary of await page.locator('summary').all()) await summary.click();
    assert.equal(await page.evaluate('globalThis.owned'), undefined, 'nothing of it ran');
    const hrefs = (await page.evaluate(
      "[...document.querySelectorAll('a[href]')].map((a) => a.protocol)",
    )) as string[];
    assert.ok(
      hrefs.every((protocol) => protocol === 'http:' || protocol === 'https:'),
      hrefs.join(' '),
    );
    assert.equal(
      await page.evaluate("document.querySelectorAll('main script, main iframe, main img[src=x]').length"),
      0,
    );
    assert.deepEqual(problems, []);
    await page.context().close();
  });
}

test('answers that are no answers are failures in place: HTML, broken JSON, the wrong shape of an error', async () => {
  for (const answer of [
    { text: '<!doctype html><title>gateway</title>' },
    { status: 502, text: 'Bad Gateway' },
    { status: 500, json: ['not', 'a', 'problem'] },
    problem(400, 'invalid_input', HOSTILE),
  ]) {
    const { page } = await harness.open({
      api: { ...FULL, 'GET /v1/rollouts': () => answer },
      path: '/rollouts',
    });
    await page.getByRole('alert').waitFor();
    assert.ok(await page.getByRole('navigation', { name: 'Main' }).isVisible());
    assert.equal(await page.evaluate('globalThis.owned'), undefined);
    await page.context().close();
  }
});

test('live events that do not parse or fit are dropped, and the page lives on', async () => {
  const { page, site, problems } = await harness.open({ api: poisoned });
  await page.getByText('What changed').waitFor();
  for (const data of [null, 7, 'text', [], {}, { services: 'none' }])
    for (const type of ['matrix', 'rollout', 'evidence', 'entry', 'ping']) site.send(type, data);
  site.send('ping', { at: 'yesterday' });
  await page.getByRole('link', { name: 'Rollouts' }).click();
  await page.getByRole('heading', { name: 'Rollouts' }).waitFor();
  await page.getByRole('link', { name: 'Matrix' }).click();
  await page.getByRole('heading', { name: 'What runs where' }).waitFor();
  assert.deepEqual(problems, []);
});

test('addresses may hold anything', async () => {
  const { page, problems } = await harness.open();
  await page.getByText('What changed').waitFor();
  const base = new URL(page.url()).origin;
  for (const path of [
    '/?q=%3Cscript%3Ealert(1)%3C/script%3E&show=nothing&tz=mars',
    '/ledger?from=-1&kind=no.such.kind&subject=%22%5B%7B',
    '/ledger/abc',
    '/ledger/99999999999999999999',
    '/services/..%2f..%2fv1',
    '/artifacts/javascript:alert(1)?tab=evil',
    `/why?subject=${'x'.repeat(2_000)}`,
    '/builds/x?step=%00&line=1e9&q=%7B%7D',
  ]) {
    await page.goto(base + path);
    await page.getByRole('navigation', { name: 'Main' }).waitFor();
  }
  assert.deepEqual(problems, []);
});

test('the policy of the product allows no inline script, and the page carries none', async () => {
  const policy = SECURITY_HEADERS['content-security-policy'];
  assert.match(policy, /script-src 'self';/);
  const { page } = await harness.open();
  await page.getByText('What changed').waitFor();
  await page.evaluate(
    "const s = document.createElement('script'); s.textContent = 'globalThis.owned = 1'; document.body.append(s)",
  );
  assert.equal(await page.evaluate('globalThis.owned'), undefined);
  assert.equal(await page.evaluate("document.querySelectorAll('script:not([src])').length - 1"), 0);
});
