import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { SlipwayError } from '../kernel/errors.ts';
import { createRouterClient } from '../platform/router-client.ts';
import { instance, rawClient, rawExchange, startLoad, TestBench, TOKEN, until } from './testing.ts';

/** The control port: who may speak, fences, what survives a restart. */
let bench = new TestBench();

afterEach(async () => {
  await bench.close();
  bench = new TestBench();
});

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const code = (expected: string) => (error: unknown) =>
  error instanceof SlipwayError && error.code === expected;

async function call(
  options: { method?: string; path?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${TOKEN}`, ...options.headers };
  return await new Promise((resolve, reject) => {
    const target = { port: bench.router.controlPort, host: '127.0.0.1', agent: false as const };
    const outgoing = request(
      { ...target, method: options.method ?? 'GET', path: options.path ?? '/stats', headers },
      (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

test('only the token opens the control port; browsers and rebound names never', async () => {
  await bench.start();
  assert.equal((await call()).status, 200);
  assert.equal((await call({ headers: { authorization: '' } })).status, 401);
  assert.equal((await call({ headers: { authorization: `Bearer ${TOKEN}x` } })).status, 401);
  assert.equal((await call({ headers: { authorization: TOKEN } })).status, 401);
  assert.equal((await call({ headers: { origin: 'http://localhost' } })).status, 403);
  assert.equal((await call({ headers: { host: 'evil.example' } })).status, 403);
  assert.equal((await call({ path: '/health', headers: { authorization: '' } })).status, 200);
  assert.equal((await call({ path: '/elsewhere' })).status, 404);
  for (const text of [(await call({ headers: { authorization: `Bearer ${TOKEN}x` } })).text])
    assert.ok(!text.includes(TOKEN));
});

test('what does not fit the schema is refused with its places, and changes nothing', async () => {
  await bench.start();
  const good = bench.route([instance('one', 1)]);
  const bad: [string, unknown][] = [
    ['not an object', 7],
    ['weights of 99', { ...good, weights: { stable: 99, baseline: 0, canary: 0 } }],
    ['a negative weight', { ...good, weights: { stable: 110, baseline: -10, canary: 0 } }],
    ['a port of 70000', { ...good, listen: { host: '127.0.0.1', port: 70_000 } }],
    ['an id twice', { ...good, backends: [instance('one', 1), instance('one', 2)] }],
    ['a cookie that breaks its line', { ...good, sticky: { cookie: 'a\r\nb', ttlS: 1 } }],
    ['a match without condition', { ...good, match: [{ group: 'canary' }] }],
    ['a digest that is none', { ...good, backends: [{ ...instance('one', 1), digest: 'latest' }] }],
    ['another lane', { ...good, lane: 'other/prod' }],
    ['an unknown field', { ...good, extra: 1 }],
    ['a fence that is no integer', { ...good, fence: 1.5 }],
  ];
  for (const [what, body] of bad) {
    const { status, text } = await call({
      method: 'PUT',
      path: '/lanes/shop/prod',
      body: JSON.stringify(body),
    });
    assert.equal(status, 422, what);
    assert.equal(JSON.parse(text).code, 'invalid_input', what);
  }
  assert.equal((await call({ method: 'PUT', path: '/lanes/shop/prod', body: '{' })).status, 400);
  assert.equal(
    (await call({ method: 'PUT', path: '/lanes/shop/prod', body: ' '.repeat(2 << 20) })).status,
    413,
  );
  assert.equal(
    (await call({ method: 'PUT', path: '/lanes/..%2f..%2fetc/prod', body: JSON.stringify(good) })).status,
    404,
  );
  assert.equal(await bench.client.get('shop/prod'), null);
});

test('fences: lower and equal-but-different are refused, equal and identical is the same call again', async () => {
  await bench.start();
  const route = { ...bench.route([instance('one', 1)]), fence: 5 };
  await bench.client.apply(route);
  assert.equal((await bench.client.apply(route)).fence, 5);
  await assert.rejects(bench.client.apply({ ...route, fence: 4 }), code('stale_fence'));
  await assert.rejects(bench.client.apply({ ...route, backends: [] }), code('stale_fence'));
  await assert.rejects(bench.client.remove('shop/prod', 4), code('stale_fence'));
  assert.deepEqual((await bench.client.get('shop/prod'))?.route, route);
  await bench.client.remove('shop/prod', 6);
  await bench.client.remove('shop/prod', 6);
  assert.equal(await bench.client.get('shop/prod'), null);
  await assert.rejects(bench.client.apply(route), code('stale_fence'), 'the fence outlives the lane');
  await assert.rejects(bench.client.apply({ ...route, fence: 6 }), code('stale_fence'));
  assert.equal((await bench.client.apply({ ...route, fence: 7 })).fence, 7);
});

test('a restarted router serves the last route at once, on the same port, and remembers its fences', async () => {
  await bench.start();
  const backend = await bench.backend((_req, res) => res.end('ok'));
  const route = bench.route([instance('one', backend.port)]);
  const port = (await bench.client.apply(route)).listening!.port;
  await bench.client.apply({ ...route, lane: 'gone/prod', fence: 9 });
  await bench.client.remove('gone/prod', 10);
  await bench.router.close();
  await assert.rejects(bench.client.stats(), code('unreachable'));
  await bench.start();
  assert.match(await rawExchange(port, GET), /\r\n\r\nok$/);
  assert.deepEqual((await bench.client.get('shop/prod'))?.route, route);
  await assert.rejects(bench.client.apply({ ...route, fence: 0 }), code('stale_fence'));
  await assert.rejects(bench.client.apply({ ...route, lane: 'gone/prod', fence: 10 }), code('stale_fence'));
});

test('a port that is taken at restart is tried again; the other lanes serve meanwhile', async () => {
  await bench.start();
  const backend = await bench.backend((_req, res) => res.end('ok'));
  const route = bench.route([instance('one', backend.port)]);
  const taken = (await bench.client.apply(route)).listening!.port;
  const free = (await bench.client.apply({ ...route, lane: 'other/prod' })).listening!.port;
  await bench.router.close();
  const thief = createServer().listen(taken, '127.0.0.1');
  await new Promise((resolve) => thief.once('listening', resolve));
  await bench.start();
  assert.match(await rawExchange(free, GET), /\r\n\r\nok$/);
  assert.equal((await bench.client.get('shop/prod'))?.listening, null);
  thief.close();
  await until(
    'the port is bound',
    async () => (await bench.client.get('shop/prod'))?.listening?.port === taken,
  );
  assert.match(await rawExchange(taken, GET), /\r\n\r\nok$/);
});

test('a damaged file is set aside and the rest is served', async () => {
  await bench.start();
  const route = bench.route([]);
  await bench.client.apply(route);
  await bench.client.apply({ ...route, lane: 'other/prod' });
  await bench.router.close();
  const directory = join(bench.directory, 'router');
  await writeFile(join(directory, 'shop@prod.json'), '{"fence":');
  await writeFile(join(directory, 'other@prod.json.tmp'), 'half written');
  await bench.start();
  assert.equal(await bench.client.get('shop/prod'), null);
  assert.notEqual(await bench.client.get('other/prod'), null);
  assert.deepEqual((await readdir(directory)).sort(), ['other@prod.json', 'shop@prod.json.unreadable']);
});

test('the route is on disk when apply answers, and a taken port changes nothing', async () => {
  await bench.start();
  const backend = await bench.backend((_req, res) => res.end('ok'));
  const route = bench.route([instance('one', backend.port)]);
  const port = (await bench.client.apply(route)).listening!.port;
  const file = join(bench.directory, 'router', 'shop@prod.json');
  assert.equal(JSON.parse(await readFile(file, 'utf8')).fence, route.fence);
  const moved = { ...route, fence: route.fence + 1, listen: { host: '127.0.0.1', port: backend.port } };
  await assert.rejects(bench.client.apply(moved), code('port_taken'));
  assert.equal(JSON.parse(await readFile(file, 'utf8')).fence, route.fence);
  assert.match(await rawExchange(port, GET), /\r\n\r\nok$/);
});

test('a lane moves to another port: requests under way finish, then the old port is closed', async () => {
  await bench.start();
  const releases: (() => void)[] = [];
  const backend = await bench.backend((_req, res) => {
    releases.push(() => res.end('done'));
  });
  const spare = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => spare.once('listening', resolve));
  const address = spare.address();
  const newPort = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => spare.close(resolve));
  const backends = [instance('one', backend.port)];
  const oldPort = await bench.serve(backends);
  const client = await rawClient(oldPort);
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('it is in flight', async () => (await bench.counters('one')).inFlight === 1);
  assert.equal(await bench.serve(backends, { listen: { host: '127.0.0.1', port: newPort } }), newPort);
  const late = rawExchange(newPort, GET);
  await until('both are in flight', () => releases.length === 2);
  for (const release of releases) release();
  assert.match(await late, /done$/);
  await client.closed;
  assert.match(client.text(), /Connection: close\r\n[\s\S]*done$/);
  await assert.rejects(rawExchange(oldPort, GET), { code: 'ECONNREFUSED' });
});

test('an orderly stop finishes what is under way, tells clients, and ends', async () => {
  await bench.start();
  const backend = await bench.backend((_req, res) => setTimeout(() => res.end('ok'), 100));
  const port = await bench.serve([instance('one', backend.port)]);
  const client = await rawClient(port);
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('it is in flight', async () => (await bench.counters('one')).inFlight === 1);
  const closing = bench.router.close();
  await client.closed;
  assert.match(client.text(), /^HTTP\/1\.1 200 [\s\S]*Connection: close\r\n[\s\S]*ok$/);
  await closing;
});

test('metrics are Prometheus text whose histogram adds up', async () => {
  await bench.start();
  const backend = await bench.backend((_req, res) => res.end('ok'));
  const port = await bench.serve([instance('one', backend.port)]);
  const load = startLoad(port, 2);
  await until('some requests', () => load.answered > 50);
  await load.stop();
  const { text } = await call({ path: '/metrics' });
  const labels = `service="shop",environment="prod",digest="sha256:${'a'.repeat(64)}",group="stable"`;
  const value = (name: string, more = '') =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name}{${labels}${more}} `))
        ?.split(' ')[1],
    );
  assert.equal(value('slipway_router_requests_total', ',code="2xx"'), load.answered);
  assert.equal(value('slipway_router_request_duration_seconds_bucket', ',le="+Inf"'), load.answered);
  assert.equal(value('slipway_router_request_duration_seconds_count'), load.answered);
  assert.ok(text.endsWith('\n') && !text.includes('NaN') && !text.includes('undefined'));
});

test('the client says which way a call failed', async () => {
  await bench.start();
  const wrong = createRouterClient({ url: bench.url, token: 'not-the-token-at-all' });
  await assert.rejects(wrong.stats(), code('unauthenticated'));
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  const address = silent.address();
  const silentPort = typeof address === 'object' && address !== null ? address.port : 0;
  const slow = createRouterClient({ url: `http://127.0.0.1:${silentPort}`, token: TOKEN, timeoutMs: 100 });
  await assert.rejects(slow.stats(), code('unreachable'));
  silent.close();
});
