import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { SlipwayError } from '../kernel/errors.ts';
import { createRouterClient, type RouterClient } from './router-client.ts';

/** How calls and answers are mapped; the real router answers the same calls in src/router/control.test.ts. */
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function clientOf(listener: RequestListener, timeoutMs = 1_000): Promise<RouterClient> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return createRouterClient({ url: `http://127.0.0.1:${port}`, token: 'secret-token', timeoutMs });
}

const failsWith = (code: string, hint?: string) => (error: unknown) =>
  error instanceof SlipwayError && error.code === code && (hint === undefined || error.hint === hint);

test('calls carry the token, the path of the lane and the fence', async () => {
  const seen: string[] = [];
  const client = await clientOf((req, res) => {
    seen.push(`${req.method} ${req.url} ${req.headers.authorization}`);
    res.end('{}');
  });
  await client.get('shop/prod');
  await client.remove('shop/prod', 7);
  await client.stats();
  assert.deepEqual(seen, [
    'GET /lanes/shop/prod Bearer secret-token',
    'DELETE /lanes/shop/prod?fence=7 Bearer secret-token',
    'GET /stats Bearer secret-token',
  ]);
});

test('problems keep their code and hint; an unknown code is internal', async () => {
  const answers = [
    { status: 409, body: { code: 'stale_fence', detail: 'old', hint: 'Load it again.' } },
    { status: 500, body: { code: 'port_taken', detail: 'in use' } },
    { status: 500, body: { code: 'never heard of' } },
  ];
  const client = await clientOf((_req, res) => {
    const answer = answers.shift()!;
    res.writeHead(answer.status).end(JSON.stringify(answer.body));
  });
  await assert.rejects(client.remove('shop/prod', 1), failsWith('stale_fence', 'Load it again.'));
  await assert.rejects(client.stats(), failsWith('port_taken'));
  await assert.rejects(client.stats(), failsWith('internal'));
});

test('absent is null for get and fine for remove', async () => {
  const client = await clientOf((_req, res) => res.writeHead(404).end('{"code":"not_found"}'));
  assert.equal(await client.get('shop/prod'), null);
  await client.remove('shop/prod', 1);
  await assert.rejects(client.stats(), failsWith('not_found'));
});

test('a connection lost under a call is tried once more', async () => {
  let calls = 0;
  const client = await clientOf((req, res) => {
    if (++calls === 1) req.socket.destroy();
    else res.end('{"lanes":[]}');
  });
  assert.deepEqual(await client.stats(), { lanes: [] });
  assert.equal(calls, 2);
});

test('silence, refusal and nonsense are unreachable; a caller that gives up is cancelled; the token is never told', async () => {
  const silent = await clientOf(() => {}, 80);
  await assert.rejects(silent.stats(), failsWith('unreachable'));
  await assert.rejects(silent.stats(AbortSignal.abort()), failsWith('cancelled'));
  const dead = createRouterClient({ url: 'http://127.0.0.1:1', token: 'secret-token' });
  await assert.rejects(dead.stats(), (error) => {
    const shown = `${error} ${JSON.stringify(error)} ${(error as Error).stack}`;
    return failsWith('unreachable')(error) && !shown.includes('secret-token');
  });
  const nonsense = await clientOf((_req, res) => res.end('<html>'));
  await assert.rejects(nonsense.stats(), failsWith('unreachable'));
});
