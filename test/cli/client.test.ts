import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../../src/cli/main.ts';
import { type FakeServer, fakeServer, type Handler, sendJson } from './fake-server.ts';
import { createIo } from './io.ts';
import { fakeLocal } from './local.ts';

/** Runs one command against a server that does as told. */
async function against(
  handle: Handler,
  words: readonly string[],
  env: Record<string, string> = {},
  tty = false,
) {
  const server = await fakeServer(handle);
  try {
    const io = createIo({
      env: { SLIPWAY_URL: server.url, SLIPWAY_TOKEN: 'slp_secret', ...env },
      stdoutIsTTY: tty,
    });
    const code = await runCli(words, fakeLocal(null), io);
    return { code, out: io.out(), err: io.err(), seen: server.seen, server };
  } finally {
    await server.stop();
  }
}

const problem = (code: string, more: object = {}) => ({
  type: `https://slipway.dev/errors#${code}`,
  code,
  detail: 'so it is',
  requestId: 'req_x',
  ...more,
});

test('something else than Slipway: exit 9, and what it said is not shown', async () => {
  const page: Handler = (_, response) =>
    response.writeHead(500, { 'content-type': 'text/html' }).end('<script>');
  const { code, err } = await against(page, ['status']);
  assert.equal(code, 9);
  assert.match(err, /something else than Slipway answers/);
  assert.doesNotMatch(err, /script/);
  const text = await against((_, response) => response.end('hello'), ['status']);
  assert.equal(text.code, 9);
});

test('exit codes follow the code of the problem, and the status for codes this client does not know', async () => {
  for (const [status, code, exit] of [
    [401, 'unauthenticated', 4],
    [403, 'policy_denied', 5],
    [409, 'lane_busy', 8],
    [504, 'timeout', 7],
    [404, 'brand_new', 6],
    [403, 'brand_new', 4],
    [500, 'brand_new', 1],
    [422, 'brand_new', 2],
  ] as const) {
    const answer: Handler = (_, response) => sendJson(response, problem(code), status);
    const result = await against(answer, ['status']);
    assert.equal(result.code, exit, `${status} ${code}`);
    assert.match(result.err, /request {2}req_x/);
  }
});

test('a redirect is not followed, so the token stays here', async () => {
  const other = await fakeServer((_, response) => sendJson(response, { services: [] }));
  try {
    const { code } = await against(
      (_, response) => response.writeHead(302, { location: `${other.url}/v1/matrix` }).end(),
      ['status'],
    );
    assert.equal(code, 9);
    assert.equal(other.seen.length, 0);
  } finally {
    await other.stop();
  }
});

test('the token is sent, and is in no output', async () => {
  const { seen, out, err } = await against(
    (_, response) => sendJson(response, problem('forbidden'), 403),
    ['status'],
  );
  assert.equal(seen[0]?.headers.authorization, 'Bearer slp_secret');
  assert.doesNotMatch(out + err, /slp_secret/);
});

test('a write whose connection breaks is sent again under the same key', async () => {
  const flaky: Handler = (request, response, count) => {
    if (request.method !== 'POST')
      sendJson(response, {
        id: 'rel_1',
        number: 1,
        service: 's',
        status: 'queued',
        commit: { sha: 'abc', message: 'm' },
      });
    else if (count === 1) request.socket.destroy();
    else if (count === 2) sendJson(response, problem('conflict'), 409);
    else sendJson(response, { id: 'rel_1', commit: 'abc' }, 201);
  };
  const { code, seen, err } = await against(flaky, ['release', 's', 'abc']);
  assert.equal(code, 0, err);
  const keys = seen
    .filter(({ method }) => method === 'POST')
    .map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(String(keys[0]), /^[0-9a-f-]{36}$/);
});

test('a conflict that no broken connection explains is not repeated', async () => {
  const { code, seen } = await against(
    (_, response) => sendJson(response, problem('conflict'), 409),
    ['release', 's', 'abc'],
  );
  assert.equal(code, 8);
  assert.equal(seen.length, 1);
});

test('what the server sends cannot steer a terminal, and is whole in JSON', async () => {
  const evil = 'shop\u001b[2J\u202e';
  const entry = {
    index: 1,
    kind: 'x',
    at: '2026-01-01T00:00:00Z',
    actor: evil,
    service: null,
    environment: null,
    subject: evil,
    leafHash: '',
    body: null,
  };
  const answer: Handler = (_, response) => sendJson(response, entry);
  const text = await against(answer, ['ledger', 'show', '1']);
  assert.ok(!text.out.includes('\u001b') && !text.out.includes('\u202e'), JSON.stringify(text.out));
  const json = await against(answer, ['ledger', 'show', '1', '--json=actor']);
  assert.equal((JSON.parse(json.out) as { actor: string }).actor, evil);
  assert.ok(!json.out.includes('\u001b'));
});

test('nothing answers: exit 9 at once, in words and in JSON', async () => {
  const server: FakeServer = await fakeServer(() => {});
  await server.stop();
  const io = createIo({ env: { SLIPWAY_URL: server.url } });
  assert.equal(await runCli(['status', '--json'], fakeLocal(null), io), 9);
  assert.equal(io.out(), '');
  assert.equal((JSON.parse(io.err()) as { error: { code: string } }).error.code, 'unreachable');
});

test('Ctrl-C while the server thinks: exit 130, and nothing on stdout', async () => {
  const server = await fakeServer(() => {});
  try {
    const io = createIo({ env: { SLIPWAY_URL: server.url } });
    const { Interrupted } = await import('../../src/cli/errors.ts');
    const running = runCli(['status'], fakeLocal(null), io);
    while (server.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    io.interrupt(new Interrupted('interrupted'));
    assert.equal(await running, 130);
    assert.equal(io.out(), '');
    assert.equal(io.err(), 'interrupted\n');
  } finally {
    await server.stop();
  }
});

test('a webhook secret is for a terminal or for --json, never for a log', async () => {
  const service = {
    name: 's',
    repository: 'r',
    branch: 'main',
    created: true,
    hook: { secret: 'hush', paths: { github: '/v1/hooks/github/s' } },
  };
  const answer: Handler = (_, response) => sendJson(response, service, 201);
  assert.doesNotMatch((await against(answer, ['register', 'https://x/y.git'])).out, /hush/);
  assert.match((await against(answer, ['register', 'https://x/y.git'], {}, true)).out, /hush/);
  assert.match((await against(answer, ['register', 'https://x/y.git', '--json=hook'])).out, /hush/);
});
