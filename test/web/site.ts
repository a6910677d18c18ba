import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SECURITY_HEADERS } from '../../src/server/origin.ts';

export const DIST = fileURLToPath(new URL('../../web/dist/', import.meta.url));

/** What the API answers in a test: a JSON body, a problem with its status, or text. */
export type Answer =
  | { status?: number; json: unknown }
  | { status?: number; text: string }
  | { hang: true }
  | { events: readonly { type: string; data: unknown; id?: number }[] };

export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

export interface Site {
  url: string;
  /** Every API call but the stream, in order. */
  calls: Call[];
  /** Sends an event to every open stream. */
  send(type: string, data: unknown, id?: number): void;
  /** Ends every open stream. */
  cutStreams(): void;
  streams(): number;
  /** How many streams were ever opened. */
  streamsOpened(): number;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The built UI behind the product's own security headers, over an API that answers what the test says: states that a real
 * server reaches only with patience or luck. `answer` gets every call below /v1/.
 */
export async function startSite(answer: (call: Call) => Answer | Promise<Answer>): Promise<Site> {
  const calls: Call[] = [];
  const streams = new Set<ServerResponse>();
  let opened = 0;
  const server = createServer((request, response) => {
    response.setHeaders(new Map(Object.entries(SECURITY_HEADERS)));
    const url = new URL(request.url ?? '/', 'http://site');
    const work = url.pathname.startsWith('/v1/') ? api(request, response, url) : file(response, url.pathname);
    work.catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });

  async function api(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const body = text === '' ? null : (JSON.parse(text) as unknown);
    const call = { method: request.method ?? 'GET', path: url.pathname, query: url.searchParams, body };
    if (url.pathname !== '/v1/stream') calls.push(call);
    const given = await answer(call);
    if ('hang' in given) return;
    if ('events' in given) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write('retry: 200\n\n');
      streams.add(response);
      opened += 1;
      response.once('close', () => streams.delete(response));
      for (const { type, data, id } of given.events) write(response, type, data, id);
      return;
    }
    const status = given.status ?? 200;
    const problem = status >= 400 && 'json' in given;
    const type =
      'json' in given ? `application/${problem ? 'problem+' : ''}json` : 'text/plain; charset=utf-8';
    response.writeHead(status, { 'content-type': type, 'x-request-id': 'req_0test' });
    response.end('json' in given ? JSON.stringify(given.json) : given.text);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls,
    send(type, data, id) {
      for (const stream of streams) write(stream, type, data, id);
    },
    cutStreams() {
      for (const stream of streams) stream.destroy();
    },
    streams: () => streams.size,
    streamsOpened: () => opened,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function write(stream: ServerResponse, type: string, data: unknown, id?: number): void {
  stream.write(`${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
}

async function file(response: ServerResponse, path: string): Promise<void> {
  const name = normalize(path).replace(/^\/+/, '');
  const known = extname(name) !== '' && !name.includes('..');
  const bytes = known ? await readFile(join(DIST, name)).catch(() => null) : null;
  const page = bytes ?? (await readFile(join(DIST, 'index.html')));
  response.setHeader(
    'content-type',
    bytes ? (TYPES[extname(name)] ?? 'application/octet-stream') : 'text/html; charset=utf-8',
  );
  response.end(page);
}
