import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RouterStats } from '../kernel/dataplane.ts';
import { ERROR_CODES, isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import { laneOf, NAME_PATTERN } from '../kernel/ids.ts';
import type { Logger } from '../platform/log.ts';
import type { Lanes } from './lanes.ts';
import { METRICS_CONTENT_TYPE, renderMetrics } from './metrics.ts';
import { parseLaneRoute } from './route-schema.ts';

const MAX_BODY_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONTROL_CONNECTIONS = 256;
const LANE_PATH = /^\/lanes\/([^/]+)\/([^/]+)$/;

export interface ControlOptions {
  host: string;
  port: number;
  token: string;
  lanes: Lanes;
  stats(): RouterStats;
  log: Logger;
}

interface ControlAnswer {
  status: number;
  contentType: string;
  body: string;
}

/**
 * The port the control plane speaks to. Loopback is no protection from a browser on this machine, so every request needs
 * the token, one with an Origin is refused, and Host must name the port itself (DNS rebinding).
 */
export async function startControl(options: ControlOptions): Promise<{ port: number; server: Server }> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONTROL_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const message = `the control port ${options.port} on ${options.host} ${taken ? 'is in use' : 'cannot be bound'}`;
      reject(new SlipwayError(taken ? 'port_taken' : 'invalid_input', message, { cause: error }));
    });
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const expected = createHash('sha256').update(`Bearer ${options.token}`).digest();
  const hosts = new Set(
    ['127.0.0.1', 'localhost', '[::1]', bracketed(options.host)].map((name) => `${name}:${port}`),
  );
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, options, expected, hosts).then(
      (result) => send(response, result),
      (error: unknown) => send(response, problem(error, options.log)),
    );
  });
  return { port, server };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

async function answer(
  request: IncomingMessage,
  options: ControlOptions,
  expected: Buffer,
  hosts: ReadonlySet<string>,
): Promise<ControlAnswer> {
  if (request.headers.origin !== undefined)
    throw new SlipwayError('forbidden', 'browsers have no business here');
  if (!hosts.has(request.headers.host ?? ''))
    throw new SlipwayError('forbidden', 'Host does not name this port');
  const url = new URL(request.url ?? '/', 'http://control');
  if (request.method === 'GET' && url.pathname === '/health') return json(200, { status: 'ok' });
  authenticate(request, expected);
  const lane = LANE_PATH.exec(url.pathname);
  if (lane !== null) return await laneCall(request, url, [lane[1]!, lane[2]!], options.lanes);
  if (request.method === 'GET' && url.pathname === '/stats') return json(200, options.stats());
  if (request.method === 'GET' && url.pathname === '/metrics') {
    return { status: 200, contentType: METRICS_CONTENT_TYPE, body: renderMetrics(options.lanes.runtimes()) };
  }
  throw new SlipwayError('not_found', 'the control port has no such path');
}

/** Compares hashes, so that neither the length nor the bytes of the token can be timed. */
function authenticate(request: IncomingMessage, expected: Buffer): void {
  const given = createHash('sha256')
    .update(request.headers.authorization ?? '')
    .digest();
  if (!timingSafeEqual(given, expected))
    throw new SlipwayError('unauthenticated', 'the control token is missing or wrong');
}

async function laneCall(
  request: IncomingMessage,
  url: URL,
  [service, environment]: [string, string],
  lanes: Lanes,
): Promise<ControlAnswer> {
  if (!NAME_PATTERN.test(service) || !NAME_PATTERN.test(environment)) {
    throw new SlipwayError('not_found', 'there is no such lane');
  }
  const lane = laneOf(service, environment);
  switch (request.method) {
    case 'PUT':
      return json(200, await lanes.apply(parseLaneRoute(await readJson(request), lane)));
    case 'GET': {
      const applied = lanes.get(lane);
      if (applied === null) throw new SlipwayError('not_found', `the router does not carry ${lane}`);
      return json(200, applied);
    }
    case 'DELETE': {
      const fence = url.searchParams.get('fence') ?? '';
      if (!/^\d{1,15}$/.test(fence)) throw new SlipwayError('usage', 'DELETE needs ?fence=<number>');
      const removed = await lanes.remove(lane, Number(fence));
      if (!removed) throw new SlipwayError('not_found', `the router does not carry ${lane}`);
      return json(200, { lane, fence: Number(fence), removed });
    }
    default:
      throw new SlipwayError('usage', `${request.method} is not offered here`);
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES)
      throw new SlipwayError('payload_too_large', `the body is above ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new SlipwayError('usage', 'the body is not JSON');
  }
}

function json(status: number, value: unknown): ControlAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}

function problem(error: unknown, log: Logger): ControlAnswer {
  const known = isSlipwayError(error)
    ? error
    : new SlipwayError('internal', 'the router failed', { cause: error });
  const { status, title } = ERROR_CODES[known.code];
  if (status >= 500) log.error({ err: known }, known.message);
  const { code, message: detail, hint, diagnostics, facts } = known;
  const body = { type: 'about:blank', title, status, code, detail, hint, diagnostics, facts };
  return { status, contentType: 'application/problem+json', body: JSON.stringify(body) };
}

function send(response: ServerResponse, result: ControlAnswer): void {
  // A body that was not read to its end (it was too large, or never wanted) must not be taken for the next request.
  if (!response.req.complete) response.setHeader('connection', 'close');
  response.writeHead(result.status, {
    'content-type': result.contentType,
    'content-length': Buffer.byteLength(result.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(result.body);
}
