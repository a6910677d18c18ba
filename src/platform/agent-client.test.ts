import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ErrorCode } from '../kernel/errors.ts';
import { isSlipwayError } from '../kernel/errors.ts';
import { createAgentClient } from './agent-client.ts';

async function withServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  work: (url: string) => Promise<void>,
): Promise<void> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const code = (expected: ErrorCode) => (error: unknown) => isSlipwayError(error) && error.code === expected;

test("the agent's code, words and facts come through", async () => {
  const problem = {
    code: 'stale_fence',
    detail: 'Fence 1 is lower',
    hint: 'Read again',
    facts: { highest: 9 },
    status: 409,
  };
  await withServer(
    (_, response) =>
      response.writeHead(409, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem)),
    async (url) => {
      const client = createAgentClient({ url, token: 't' });
      await assert.rejects(client.remove('a', 1), (error) => {
        assert.ok(isSlipwayError(error));
        assert.deepEqual(
          [error.code, error.message, error.hint, error.facts.highest],
          ['stale_fence', 'Fence 1 is lower', 'Read again', 9],
        );
        return true;
      });
    },
  );
});

test('nobody there, somebody else there, silence and a flood are told apart', async () => {
  await assert.rejects(
    createAgentClient({ url: 'http://127.0.0.1:1', token: 't' }).list(),
    code('unreachable'),
  );
  await withServer(
    (_, response) => response.writeHead(500).end('<html>'),
    async (url) => {
      await assert.rejects(createAgentClient({ url, token: 't' }).list(), code('unreachable'));
    },
  );
  await withServer(
    () => {},
    async (url) => {
      await assert.rejects(createAgentClient({ url, token: 't', timeoutMs: 50 }).list(), code('timeout'));
    },
  );
  await withServer(
    (_, response) => response.end('x'.repeat(17 * 1024 ** 2)),
    async (url) => {
      await assert.rejects(createAgentClient({ url, token: 't' }).logs('a'), code('payload_too_large'));
    },
  );
  await withServer(
    (_, response) => response.end('not JSON'),
    async (url) => {
      await assert.rejects(createAgentClient({ url, token: 't' }).list(), code('unreachable'));
    },
  );
});

test('the token is sent to the agent alone, and ids are no paths', async () => {
  const seen: [string | undefined, string | undefined][] = [];
  await withServer(
    (request, response) => {
      seen.push([request.url, request.headers.authorization]);
      if (request.url === '/health') response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end();
      else response.writeHead(204).end();
    },
    async (url) => {
      const client = createAgentClient({ url, token: 'secret' });
      assert.equal(await client.remove('../x?', 3), null);
      await assert.rejects(client.health(), code('unreachable'));
    },
  );
  assert.deepEqual(seen, [
    ['/instances/..%2Fx%3F?fence=3', 'Bearer secret'],
    ['/health', 'Bearer secret'],
  ]);
});
