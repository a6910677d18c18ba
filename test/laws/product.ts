import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMachine } from '../../src/flow/machine.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createDirectories, dataDirectory } from '../../src/platform/data-directory.ts';
import type { Route } from '../../src/platform/http/route.ts';
import { createLogger } from '../../src/platform/log.ts';
import { freePort } from '../../src/platform/ports.ts';
import { testDatabase } from '../../src/platform/postgres/testing.ts';
import { startServer } from '../../src/server/main.ts';
import { apiRoutes } from '../../src/server/routes.ts';
import { createAuthenticator } from '../../src/support/access/authenticate.ts';
import { insertToken } from '../../src/support/access/store.ts';
import { mintToken } from '../../src/support/access/token.ts';

export interface Product {
  /** The endpoints of the API as values. */
  routes: readonly Route[];
  /** Every mounted method and path, the ones beside the API included. */
  mounted: readonly { method: string; path: string }[];
  token(role: string): Promise<string>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface CallOptions {
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Empty when the answer is a stream, which is cut after its head. */
  text: string;
}

/** The real server with all its parts on a port of its own; router and agent are not there. */
export async function startProduct(): Promise<Product> {
  const { database, url, close } = await testDatabase();
  const home = await mkdtemp(join(tmpdir(), 'slipway-endpoints-'));
  const data = dataDirectory(home);
  await createDirectories(data);
  const port = await freePort();
  const runtime = {
    databaseUrl: url,
    server: { host: '127.0.0.1', port },
    router: { port: 9 },
    agent: { port: 9 },
    postgresPort: null,
    controlToken: 'the-control-token-of-this-test-installation',
  };
  const machine = await openMachine(data, runtime, createLogger('endpoints', 'silent'), 'test');
  const server = await startServer(machine);
  return {
    routes: apiRoutes(machine, createAuthenticator(database, systemClock)),
    mounted: mountedRoutes(server.app.printRoutes({ commonPrefix: false })),
    async token(role) {
      const minted = mintToken(systemClock);
      const row = { ...minted, name: `test-${role}`, roles: [role] };
      await database.transaction((tx) =>
        insertToken(tx, { ...row, createdAtMs: systemClock.nowMs(), expiresAtMs: null }),
      );
      return minted.token;
    },
    call: (method, path, options = {}) => call(port, method, path, options),
    async close() {
      await server.stop();
      await machine.close();
      await close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** node:http, since fetch does not let a caller choose Host. */
function call(port: number, method: string, path: string, { headers, body }: CallOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ port, host: '127.0.0.1', method, path, headers: { ...json, ...headers } });
    sent.once('error', reject);
    sent.once('response', (answer) => {
      const { statusCode: status = 0, headers: received } = answer;
      if (received['content-type']?.startsWith('text/event-stream')) {
        sent.destroy();
        resolve({ status, headers: received, text: '' });
        return;
      }
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('end', () =>
        resolve({ status, headers: received, text: Buffer.concat(chunks).toString('utf8') }),
      );
      answer.once('error', reject);
    });
    sent.end(body);
  });
}

/** Reads fastify's tree of routes, in which each line continues the path of the line it hangs from. */
function mountedRoutes(tree: string): { method: string; path: string }[] {
  const parts: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([│├└─\s]*)(\S*) ?(?:\(([A-Z, ]+)\))?$/.exec(line);
    if (!match || line.trim() === '') return [];
    const depth = Math.max(0, Math.round((match[1] as string).length / 4) - 1);
    parts.splice(depth);
    parts[depth] = match[2] as string;
    const path = parts.join('');
    return (match[3] ?? '')
      .split(', ')
      .filter((method) => method !== '')
      .map((method) => ({ method, path }));
  });
}
