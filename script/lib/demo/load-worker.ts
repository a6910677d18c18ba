import { Agent, type IncomingMessage, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, LoadOptions, ToWorker } from './load.ts';
import { createHistogram, createTally, type Outcome } from './tally.ts';
import { createVisitors, seededRandom, type Visit } from './visitors.ts';

/**
 * The worker thread of the load generator. Open loop: arrivals follow the clock and never wait for answers, and latency
 * counts from the moment a request was due, so a stalled service cannot hide its stall.
 */

/** Requests under way at once; more arrivals than that are counted as lost. */
const MAX_IN_FLIGHT = 2_000;
/** Bytes of an answer that are kept to go on with. */
const MAX_KEPT_BYTES = 65_536;
const REPORT_MS = 250;
const LOST_STATUSES = new Set([502, 503, 504]);

const port = parentPort!;
const options = workerData as Required<LoadOptions>;
const random = seededRandom(options.seed);
const visitors = createVisitors(random);
const tally = createTally();
const lateness = createHistogram();
const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 128, scheduling: 'fifo' });
/** Requests under way and when each was due, oldest first. */
const inFlight = new Map<{ destroy(error: Error): unknown }, number>();
const startedAtMs = Date.now();
const origin = performance.timeOrigin;
let rps = options.rps;
let sent = 0;
let due = performance.now();
let stopping = false;

function send(dueAt: number): void {
  const visit = visitors.next();
  sent++;
  lateness.add(Math.max(0, performance.now() - dueAt));
  if (inFlight.size >= MAX_IN_FLIGHT) {
    record(visit, dueAt, null, 'lost', 'too many requests under way');
    return;
  }
  const headers: Record<string, string | number> = { 'user-agent': 'slipway-load' };
  if (visit.body !== null) {
    headers['content-type'] = 'application/json';
    headers['content-length'] = Buffer.byteLength(visit.body);
  }
  const call = request({
    agent,
    host: options.host,
    port: options.port,
    method: visit.method,
    path: visit.path,
    headers,
  });
  inFlight.set(call, dueAt);
  let settled = false;
  const settle = (version: string | null, kind: Outcome['kind'], problem: string | null) => {
    if (settled) return;
    settled = true;
    inFlight.delete(call);
    record(visit, dueAt, version, kind, problem);
  };
  call.on('response', (response) => receive(visit, response, settle));
  call.on('error', (error: NodeJS.ErrnoException) => settle(null, 'lost', problemOf(error)));
  call.end(visit.body ?? undefined);
}

type Settle = (version: string | null, kind: Outcome['kind'], problem: string | null) => void;

function receive(visit: Visit, response: IncomingMessage, settle: Settle): void {
  const version = (response.headers['x-shop-version'] as string | undefined) ?? null;
  const status = response.statusCode ?? 0;
  const good = status >= 200 && status < 400;
  let body = '';
  if (visit.keep && good) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      if (body.length < MAX_KEPT_BYTES) body += chunk;
    });
  } else response.resume();
  response.on('end', () => {
    if (good && body !== '') visitors.learn(visit.endpoint, body);
    settle(
      version,
      good ? 'ok' : LOST_STATUSES.has(status) ? 'lost' : 'app-failure',
      good ? null : `status ${status}`,
    );
  });
  response.on('error', (error) => settle(version, 'lost', problemOf(error)));
  response.on('close', () => settle(version, 'lost', 'the answer was cut off'));
}

function problemOf(error: NodeJS.ErrnoException): string {
  const code = error.code ?? error.message;
  return error.syscall === 'connect' ? `connect ${code}` : code;
}

function record(
  visit: Visit,
  dueAt: number,
  version: string | null,
  kind: Outcome['kind'],
  problem: string | null,
): void {
  const now = performance.now();
  tally.record({
    endpoint: visit.endpoint,
    version,
    kind,
    problem,
    latencyMs: now - dueAt,
    atMs: origin + now,
  });
}

/** Sends everything that is due, then sleeps until the next arrival. */
function tick(): void {
  if (stopping) return;
  const now = performance.now();
  while (due <= now) {
    send(due);
    due += options.arrivals === 'even' ? 1000 / rps : (-Math.log(1 - random()) * 1000) / rps;
  }
  setTimeout(tick, Math.max(0, due - now));
}

function post(message: FromWorker): void {
  port.postMessage(message);
}

const sweeper = setInterval(() => {
  const limit = performance.now() - options.timeoutMs;
  for (const [call, dueAt] of inFlight) {
    if (dueAt > limit) break;
    call.destroy(new Error('timeout'));
  }
  post({ type: 'counters', counters: { ...tally.counters(), sent, inFlight: inFlight.size } });
}, REPORT_MS);

port.on('message', (message: ToWorker) => {
  if (message.type === 'rate') rps = message.rps;
  else finish();
});

/** No new arrivals; those under way get their time. */
function finish(): void {
  stopping = true;
  if (inFlight.size > 0) {
    setTimeout(finish, 10);
    return;
  }
  clearInterval(sweeper);
  agent.destroy();
  const summary = {
    ...tally.summary(),
    sent,
    startedAtMs,
    endedAtMs: Date.now(),
    lateMs: lateness.quantile(0.99),
  };
  post({ type: 'summary', summary });
  port.close();
}

tick();
