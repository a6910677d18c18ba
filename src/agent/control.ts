import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SlipwayError } from '../kernel/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Fleet } from './fleet.ts';
import { LIMITS } from './limits.ts';
import type { InstanceLogs } from './logs.ts';
import { send, sendProblem } from './problem.ts';
import { fenceSchema, INSTANCE_ID, isLane, parseSpec } from './spec-schema.ts';

export interface ControlOptions {
  host: string;
  port: number;
  token: string;
  log: Logger;
  fleet: Fleet;
  logs: InstanceLogs;
  health(): Promise<object>;
  metrics(): Promise<string>;
  /** Called after the answer to POST /shutdown. */
  shutDown(stopInstances: boolean): void;
}

export interface ControlServer {
  port: number;
  close(): Promise<void>;
}

/** The agent's control API. Every request needs the token; browsers have no business here. */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const followers = new Set<AbortController>();
  const server = createServer({
    requestTimeout: LIMITS.requestMs,
    headersTimeout: LIMITS.requestMs,
    maxHeaderSize: 16 * 1024,
  });
  server.maxConnections = LIMITS.connections;
  server.on('request', (request, response) => {
    answer(request, response, options, followers).catch(async (error) => {
      await dropBody(request);
      if (!request.complete && !response.headersSent) response.setHeader('connection', 'close');
      sendProblem(response, error, options.log);
    });
  });
  await listen(server, options.host, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        for (const follower of followers) follower.abort();
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 500).unref();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: Error & { code?: string }) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      reject(
        new SlipwayError('port_taken', `The agent's control port ${port} is in use`, {
          hint: 'Stop what listens there, or choose another port.',
        }),
      );
    });
    server.listen({ host, port, exclusive: true }, () => resolve());
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ControlOptions,
  followers: Set<AbortController>,
): Promise<void> {
  guard(request, options.token);
  const url = new URL(request.url ?? '/', 'http://agent');
  const [first, id, last, ...rest] = url.pathname.split('/').slice(1);
  const { fleet } = options;
  const route = `${request.method} /${first}${id === undefined ? '' : '/:id'}${last === undefined ? '' : `/${last}`}`;
  if (rest.length > 0) throw noRoute();
  if (id !== undefined && !INSTANCE_ID.test(id))
    throw new SlipwayError('usage', 'The instance id is not well formed');
  switch (route) {
    case 'GET /health':
      return sendJson(response, 200, await options.health());
    case 'GET /metrics':
      return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await options.metrics());
    case 'GET /instances':
      return sendJson(response, 200, { instances: fleet.list(laneOf(url)) });
    case 'PUT /instances/:id': {
      const spec = parseSpec(await readJson(request));
      if (spec.id !== id) throw new SlipwayError('usage', 'The id of the spec is not the id of the path');
      return sendJson(response, 200, await fleet.put(spec));
    }
    case 'GET /instances/:id': {
      const status = fleet.get(id!);
      if (status === null) throw new SlipwayError('not_found', `There is no instance ${id}`);
      return sendJson(response, 200, status);
    }
    case 'DELETE /instances/:id': {
      const status = await fleet.remove(id!, fenceOf(url));
      return status === null ? void response.writeHead(204).end() : sendJson(response, 202, status);
    }
    case 'GET /instances/:id/logs':
      return sendLogs(response, id!, url, options, followers);
    case 'POST /shutdown': {
      const body = (await readJson(request)) as { stopInstances?: unknown } | null;
      sendJson(response, 202, { stopping: true });
      return options.shutDown(body?.stopInstances === true);
    }
    default:
      throw noRoute();
  }
}

/** Loopback is no protection from a browser on this machine: a page may send requests here under a name of its own. */
function guard(request: IncomingMessage, token: string): void {
  const host = request.headers.host ?? '';
  if (!/^(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?$/.test(host))
    throw new SlipwayError('forbidden', 'The Host header is not loopback');
  if (request.headers.origin !== undefined)
    throw new SlipwayError('forbidden', 'Requests from browsers are refused');
  const given = /^Bearer ([\x21-\x7e]{1,1024})$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const hash = (text: string) => createHash('sha256').update(text).digest();
  if (!timingSafeEqual(hash(given), hash(token)))
    throw new SlipwayError('unauthenticated', 'The bearer token is missing or wrong');
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json(?:;|$)/.test(request.headers['content-type'] ?? ''))
    throw new SlipwayError('usage', 'The body must be application/json');
  const tooLarge = new SlipwayError('payload_too_large', `The body is larger than ${LIMITS.bodyBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > LIMITS.bodyBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  // Kept open on a refusal, so that the answer still reaches the client.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > LIMITS.bodyBytes) throw tooLarge;
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new SlipwayError('usage', 'The body is not JSON');
  }
}

/** What a refused request may still send before its connection is closed under it. */
const DROPPED_BYTES = 16 * 1024 ** 2;
const DROPPED_MS = 2_000;

/** Closing over unread bytes resets the connection and takes the answer with it: they are taken in first, within bounds. */
function dropBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = DROPPED_BYTES;
    const timer = setTimeout(resolve, DROPPED_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) done();
    });
    request.once('end', done).once('close', done).once('error', done);
  });
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  send(response, status, 'application/json', JSON.stringify(value));
}

async function sendLogs(
  response: ServerResponse,
  id: string,
  url: URL,
  options: ControlOptions,
  followers: Set<AbortController>,
): Promise<void> {
  const { fleet, logs } = options;
  if (fleet.get(id) === null && !(await logs.exists(id)))
    throw new SlipwayError('not_found', `There is no instance ${id}, nor a log of it`);
  const lines = Number(url.searchParams.get('tail') ?? '100');
  if (!Number.isInteger(lines) || lines < 0 || lines > LIMITS.tailLines)
    throw new SlipwayError('usage', `tail must be 0 to ${LIMITS.tailLines}`);
  const follow = ['1', 'true'].includes(url.searchParams.get('follow') ?? '');
  if (!follow) return send(response, 200, 'text/plain; charset=utf-8', await logs.tail(id, lines));
  if (followers.size >= LIMITS.followers)
    throw new SlipwayError('conflict', `More than ${LIMITS.followers} log followers`);
  const gone = new AbortController();
  followers.add(gone);
  response.on('close', () => gone.abort());
  try {
    response.writeHead(200, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    response.flushHeaders();
    for await (const chunk of logs.follow(id, lines, gone.signal, () => fleet.get(id) === null)) {
      if (!response.write(chunk))
        await new Promise<void>((resolve) => response.once('drain', resolve).once('close', resolve));
    }
    response.end();
  } finally {
    followers.delete(gone);
  }
}

function laneOf(url: URL) {
  const lane = url.searchParams.get('lane');
  if (lane === null) return undefined;
  if (!isLane(lane)) throw new SlipwayError('usage', 'The lane is not service/environment');
  return lane;
}

function fenceOf(url: URL): number {
  const text = url.searchParams.get('fence') ?? '';
  const parsed = fenceSchema.safeParse(/^[0-9]{1,16}$/.test(text) ? Number(text) : undefined);
  if (!parsed.success) throw new SlipwayError('usage', 'fence must be given as a whole number');
  return parsed.data;
}

function noRoute(): SlipwayError {
  return new SlipwayError('not_found', 'There is no such endpoint');
}
