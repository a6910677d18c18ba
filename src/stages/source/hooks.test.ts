import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, test } from 'node:test';
import { testRepository } from '../../platform/git/testing.ts';
import { sourceRoutes } from './routes.ts';
import { callRoute, SERVICE_YAML, serveHooks, testSource } from './testing.ts';

const source = await testSource();
const routes = sourceRoutes(source.deps);
const repository = testRepository();
repository.commit({ 'slipway.yaml': SERVICE_YAML, 'src/server.js': '' });
const registered = await callRoute(routes, 'registerService', { body: { repository: repository.url } });
const { secret } = registered.hook as { secret: string };
const server = await serveHooks(routes, source.deps.clock.nowMs);
after(async () => {
  await server.close();
  repository.remove();
  await source.close();
});

const body = JSON.stringify({ ref: 'refs/heads/main', note: 'ünïcode' });
const hex = createHmac('sha256', secret).update(body).digest('hex');

async function post(path: string, headers: Record<string, string>, payload = body) {
  source.woken.length = 0;
  const response = await fetch(`${server.url}/v1/hooks/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: payload,
  });
  const text = await response.text();
  return { status: response.status, woken: source.woken.length, text };
}

test('each forge wakes the service once per delivery', async () => {
  const time = String(Math.floor(source.deps.clock.nowMs() / 1000));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`d5.${time}.${body}`).digest('base64');
  const deliveries: [string, Record<string, string>][] = [
    ['github/shop', { 'x-hub-signature-256': `sha256=${hex}`, 'x-github-delivery': 'd1' }],
    ['gitea/shop', { 'x-gitea-signature': hex, 'x-gitea-delivery': 'd2' }],
    ['forgejo/shop', { 'x-forgejo-signature': hex, 'x-forgejo-delivery': 'd3' }],
    ['gitlab/shop', { 'x-gitlab-token': secret, 'x-gitlab-event-uuid': 'd4' }],
    ['gitlab/shop', { 'webhook-signature': `v1,${mac}`, 'webhook-id': 'd5', 'webhook-timestamp': time }],
  ];
  for (const [path, headers] of deliveries) {
    const first = await post(path, headers);
    assert.deepEqual([first.status, first.woken], [202, 1], `${path} ${first.text}`);
    const replay = await post(path, headers);
    assert.deepEqual([replay.status, replay.woken], [202, 0]);
    assert.match(replay.text, /"duplicate":true/);
  }
});

test('without a good signature nothing happens, and an unknown service answers the same', async () => {
  const good = { 'x-hub-signature-256': `sha256=${hex}`, 'x-github-delivery': 'new' };
  const bad: [string, Record<string, string>, string?][] = [
    ['github/shop', {}],
    ['github/shop', { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }],
    ['github/shop', good, `${body} `],
    ['gitea/shop', good],
    ['github/nothing', good],
  ];
  const answers = [];
  for (const [path, headers, payload] of bad) {
    const answer = await post(path, headers, payload);
    assert.deepEqual([answer.status, answer.woken], [401, 0]);
    answers.push(answer.text);
  }
  assert.equal(new Set(answers).size, 1);
  assert.ok(!answers.join().includes(secret));
});

test('a delivery whose wake-up failed is not taken for a duplicate when the forge repeats it', async () => {
  const headers = { 'x-hub-signature-256': `sha256=${hex}`, 'x-github-delivery': 'again' };
  const failing = { ...source.deps, wake: () => Promise.reject(new Error('queue is away')) };
  const broken = await serveHooks(sourceRoutes(failing), source.deps.clock.nowMs);
  const response = await fetch(`${broken.url}/v1/hooks/github/shop`, { method: 'POST', headers, body });
  assert.equal(response.status, 500);
  await broken.close();
  assert.equal((await post('github/shop', headers)).woken, 1);
});

test('old deliveries are forgotten', async () => {
  source.advance(8 * 86_400_000);
  await post('github/shop', { 'x-hub-signature-256': `sha256=${hex}`, 'x-github-delivery': 'late' });
  const rows = await source.deps.database.query<{ delivery: string }>('select delivery from hook_deliveries');
  assert.deepEqual(
    rows.map((row) => row.delivery),
    ['shop/late'],
  );
});
