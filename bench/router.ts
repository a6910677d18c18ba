import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RouteBackend } from '../src/kernel/dataplane.ts';
import { systemClock } from '../src/platform/clock.ts';
import { createLogger } from '../src/platform/log.ts';
import { createRouterClient } from '../src/platform/router-client.ts';
import { startRouter, stopOnSignals } from '../src/router/main.ts';

/**
 * The router against a direct connection: requests/s under `wrk`, and latency at a fixed arrival rate. Router and
 * backends are processes of their own, and share the machine's cores with the load. `node bench/router.ts [seconds]`.
 */
const CONNECTIONS = 32;
const RATE_PER_S = 1_000;
const OPEN_LOOP_CONNECTIONS = 64;
const WARM_UP_S = 2;
const ROUNDS = 3;
const TOKEN = 'bench-control-token';
const BODY = JSON.stringify({ product: 'tea', price: 4.2, stock: 17 });

export interface RouterBench {
  cores: number;
  seconds: number;
  throughput: { direct: number; router: number; errors: number };
  latencyMs: { ratePerS: number; direct: Quantiles; router: Quantiles; addedP50: number; addedP99: number };
  /** CPU time of the router process per request under full load. */
  routerMicrosPerRequest: number;
}

interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
  max: number;
  requests: number;
  failures: number;
}

interface Child {
  process: ChildProcess;
  port: number;
  nextLine(): Promise<string>;
}

async function startChild(role: 'serve-backend' | 'serve-router', ...rest: string[]): Promise<Child> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), role, ...rest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const nextLine = async () => (await lines.next()).value ?? '';
  return { process: child, port: Number(await nextLine()), nextLine };
}

async function stopChild(child: Child): Promise<void> {
  if (child.process.exitCode !== null) return;
  child.process.kill('SIGTERM');
  await once(child.process, 'exit');
}

/** Runs both measurements; needs `wrk` on the path. */
export async function benchRouter(seconds: number): Promise<RouterBench> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const children: Child[] = [];
  try {
    const backends = [await startChild('serve-backend'), await startChild('serve-backend')];
    children.push(...backends);
    const router = await startChild('serve-router', directory);
    children.push(router);
    const client = createRouterClient({ url: `http://127.0.0.1:${router.port}`, token: TOKEN });
    const applied = await client.apply({
      lane: 'bench/local',
      fence: 1,
      listen: { host: '127.0.0.1', port: 0 },
      backends: backends.map(({ port }, i): RouteBackend => {
        const group = i === 0 ? 'stable' : 'canary';
        return {
          id: `i${i}`,
          group,
          digest: `sha256:${'0'.repeat(64)}`,
          host: '127.0.0.1',
          port,
          state: 'serving',
        };
      }),
      weights: { stable: 50, baseline: 0, canary: 50 },
      match: [],
      sticky: null,
      mirror: null,
    });
    const routed = [applied.listening?.port ?? 0];
    const direct = backends.map(({ port }) => port);

    await wrk(direct[0]!, WARM_UP_S);
    await wrk(routed[0]!, WARM_UP_S);
    const directRun = await wrk(direct[0]!, seconds);
    const cpuBefore = await cpuMicros(router);
    const routedRun = await wrk(routed[0]!, seconds);
    const cpu = (await cpuMicros(router)) - cpuBefore;
    // In turns, so that what else the machine does meets both.
    const rounds: { direct: Quantiles; router: Quantiles }[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      rounds.push({ direct: await openLoop(direct, seconds), router: await openLoop(routed, seconds) });
    }
    const directLatency = medianRound(rounds.map((round) => round.direct));
    const routerLatency = medianRound(rounds.map((round) => round.router));
    return {
      cores: availableParallelism(),
      seconds,
      throughput: { direct: directRun.perSecond, router: routedRun.perSecond, errors: routedRun.errors },
      latencyMs: {
        ratePerS: RATE_PER_S,
        direct: directLatency,
        router: routerLatency,
        addedP50: round(routerLatency.p50 - directLatency.p50),
        addedP99: round(routerLatency.p99 - directLatency.p99),
      },
      routerMicrosPerRequest: round(cpu / (routedRun.perSecond * seconds)),
    };
  } finally {
    for (const child of children.reverse()) await stopChild(child);
    await rm(directory, { recursive: true, force: true });
  }
}

/** The round in the middle by its p99. */
function medianRound(rounds: readonly Quantiles[]): Quantiles {
  return [...rounds].sort((a, b) => a.p99 - b.p99)[rounds.length >> 1]!;
}

async function cpuMicros(router: Child): Promise<number> {
  router.process.kill('SIGUSR2');
  return Number(await router.nextLine());
}

async function wrk(port: number, seconds: number): Promise<{ perSecond: number; errors: number }> {
  const child = spawn('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, `http://127.0.0.1:${port}/item`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`wrk ended with ${code}`);
  const errors = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? '0';
  const socketErrors = [...(/Socket errors:(.*)/.exec(text)?.[1] ?? '').matchAll(/\d+/g)].map(Number);
  return {
    perSecond: Math.round(Number(/Requests\/sec:\s*([\d.]+)/.exec(text)?.[1])),
    errors: Number(errors) + socketErrors.reduce((sum, count) => sum + count, 0),
  };
}

/**
 * Sends at a fixed rate whatever the answers do (a request never waits for another one's answer), and measures from the
 * write to the answer. It sleeps between sends: a spinning generator would take one of two cores from what it measures.
 * The first second is warm-up.
 */
async function openLoop(ports: readonly number[], seconds: number): Promise<Quantiles> {
  const latencies: number[] = [];
  let failures = 0;
  const idle: Socket[] = [];
  const all: Socket[] = [];
  const sentAt = new Map<Socket, number>();
  const measureFrom = performance.now() + 1_000;
  for (let i = 0; i < OPEN_LOOP_CONNECTIONS; i++) {
    const socket = connect({ port: ports[i % ports.length]!, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    // The answer is known to be small and to come in one piece.
    socket.on('data', (chunk: Buffer) => {
      const at = sentAt.get(socket) ?? 0;
      if (at >= measureFrom) latencies.push(performance.now() - at);
      if (!chunk.toString('latin1', 0, 12).endsWith('200')) failures++;
      idle.push(socket);
    });
    socket.on('error', () => failures++);
    idle.push(socket);
    all.push(socket);
  }
  const started = performance.now();
  const total = RATE_PER_S * (seconds + 1);
  for (let sent = 0; sent < total; ) {
    for (; sent < total && started + (sent * 1000) / RATE_PER_S <= performance.now(); sent++) {
      const socket = idle.shift();
      if (socket === undefined) {
        failures++;
        continue;
      }
      sentAt.set(socket, performance.now());
      socket.write('GET /item HTTP/1.1\r\nHost: bench\r\n\r\n');
    }
    await after(1);
  }
  await after(500);
  for (const socket of all) socket.destroy();
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) =>
    round(latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0);
  return {
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    max: quantile(1),
    requests: latencies.length,
    failures,
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function serveBackend(): void {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length });
    response.end(BODY);
  });
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
}

async function serveRouter(dataDirectory: string): Promise<void> {
  const log = createLogger('router', 'warn');
  const control = { host: '127.0.0.1', port: 0 };
  const router = await startRouter({
    dataDirectory,
    control,
    token: TOKEN,
    clock: systemClock,
    log,
    stopGraceMs: 500,
  });
  console.log(router.controlPort);
  process.on('SIGUSR2', () => {
    const { user, system } = process.cpuUsage();
    console.log(user + system);
  });
  stopOnSignals(router, log);
}

function table(bench: RouterBench): string {
  const { throughput, latencyMs } = bench;
  const row = (what: string, direct: number | string, router: number | string) =>
    `${what.padEnd(28)}${String(direct).padStart(12)}${String(router).padStart(12)}`;
  return [
    row('', 'direct', 'router'),
    row(`requests/s, ${CONNECTIONS} connections`, throughput.direct, throughput.router),
    row(`p50 ms at ${latencyMs.ratePerS}/s`, latencyMs.direct.p50, latencyMs.router.p50),
    row(`p99 ms at ${latencyMs.ratePerS}/s`, latencyMs.direct.p99, latencyMs.router.p99),
    `added p99 ${latencyMs.addedP99} ms; router CPU ${bench.routerMicrosPerRequest} us/request; ${bench.cores} cores`,
    '',
  ].join('\n');
}

if (import.meta.main) {
  const [role, argument] = process.argv.slice(2);
  if (role === 'serve-backend') {
    serveBackend();
  } else if (role === 'serve-router') {
    await serveRouter(argument ?? '');
  } else {
    const bench = await benchRouter(Number(role ?? 8));
    process.stderr.write(table(bench));
    console.log(JSON.stringify(bench, null, 2));
  }
}
