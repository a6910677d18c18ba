import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, type RequestListener, request, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { pino } from 'pino';
import type { Group, LaneRoute, RouteBackend } from '../kernel/dataplane.ts';
import type { Digest } from '../kernel/digest.ts';
import { systemClock } from '../platform/clock.ts';
import { type AppliedLane, createRouterClient, type RouterClient } from '../platform/router-client.ts';
import { type Router, type RouterOptions, startRouter } from './main.ts';

/** Real routers, backends and sockets for the tests of this folder. Everything is closed by `TestBench.close`. */
export const TOKEN = 'a-control-token-for-tests';
const DEADLINE_MS = 10_000;

export const DIGESTS: Readonly<Record<Group, Digest>> = {
  stable: `sha256:${'a'.repeat(64)}`,
  baseline: `sha256:${'a'.repeat(64)}`,
  canary: `sha256:${'c'.repeat(64)}`,
};

/** Polls until `read` gives something other than null, undefined or false; fails after ten seconds. */
export async function until<Value>(
  what: string,
  read: () => Value | null | undefined | false | Promise<Value | null | undefined | false>,
): Promise<Value> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = await read();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await after(5);
  }
}

export interface TestBackend {
  port: number;
  server: Server;
  sockets: Set<Socket>;
  close(): void;
}

export class TestBench {
  readonly #closers: (() => unknown)[] = [];
  #fence = 0;
  directory = '';
  router!: Router;
  client!: RouterClient;

  /** Starts a router on a directory of its own; `again` restarts on the same one. */
  async start(options: Partial<RouterOptions> = {}): Promise<this> {
    if (this.directory === '') {
      const directory = await mkdtemp(join(tmpdir(), 'slipway-router-'));
      this.directory = directory;
      this.#closers.push(() => rm(directory, { recursive: true, force: true }));
    }
    const router = await startRouter({
      dataDirectory: this.directory,
      control: { host: '127.0.0.1', port: 0 },
      token: TOKEN,
      clock: systemClock,
      log: pino({ level: 'silent' }),
      stopGraceMs: 2_000,
      ...options,
    });
    this.router = router;
    this.client = createRouterClient({ url: this.url, token: TOKEN });
    this.#closers.push(() => router.close());
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.router.controlPort}`;
  }

  onClose(closer: () => unknown): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.reverse()) await closer();
    this.#closers.length = 0;
  }

  /** An HTTP server that stands for an instance. */
  async backend(listener: RequestListener, port = 0): Promise<TestBackend> {
    const server = createServer({ keepAliveTimeout: 60_000 }, listener);
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const close = () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    this.#closers.push(close);
    return { port: (server.address() as AddressInfo).port, server, sockets, close };
  }

  /** A TCP server that stands for an instance whose bytes the test writes itself. */
  async rawBackend(onConnection: (socket: Socket) => void): Promise<{ port: number; sockets: Socket[] }> {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      onConnection(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#closers.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return { port: (server.address() as AddressInfo).port, sockets };
  }

  get fence(): number {
    return this.#fence;
  }

  route(backends: readonly RouteBackend[], change: Partial<LaneRoute> = {}): LaneRoute {
    this.#fence++;
    return {
      lane: 'shop/prod',
      fence: this.#fence,
      listen: { host: '127.0.0.1', port: 0 },
      backends,
      weights: { stable: 100, baseline: 0, canary: 0 },
      match: [],
      sticky: null,
      mirror: null,
      ...change,
    };
  }

  async apply(backends: readonly RouteBackend[], change: Partial<LaneRoute> = {}): Promise<AppliedLane> {
    return await this.client.apply(this.route(backends, change));
  }

  /** Applies the route and returns the data port. */
  async serve(backends: readonly RouteBackend[], change: Partial<LaneRoute> = {}): Promise<number> {
    const { listening } = await this.apply(backends, change);
    if (listening === null) throw new Error('the lane has no port');
    return listening.port;
  }

  async counters(id: string): Promise<BackendFigures> {
    const stats = await this.client.stats();
    const found = stats.lanes.flatMap((lane) => lane.backends).find((backend) => backend.id === id);
    if (found === undefined) throw new Error(`no figures of ${id}`);
    return found as BackendFigures;
  }
}

type Stats = Awaited<ReturnType<RouterClient['stats']>>;
export type BackendFigures = Stats['lanes'][number]['backends'][number] & {
  mirrored: { requests: number; errors: number };
};

export function instance(
  id: string,
  port: number,
  group: Group = 'stable',
  change: Partial<RouteBackend> = {},
): RouteBackend {
  return { id, group, digest: DIGESTS[group], host: '127.0.0.1', port, state: 'serving', ...change };
}

/** A TCP client that keeps what it reads. */
export interface RawClient {
  socket: Socket;
  text(): string;
  closed: Promise<void>;
  /** Resolves with all text once it fits; a string is looked for at the end. */
  waitFor(pattern: RegExp | string): Promise<string>;
}

export async function rawClient(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, ...options });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return {
    socket,
    text: () => text,
    closed,
    waitFor: (pattern) => {
      const fits = () => (typeof pattern === 'string' ? text.endsWith(pattern) : pattern.test(text));
      return until(`${pattern} in an answer`, () => fits() && text);
    },
  };
}

/** Sends `bytes` on a new connection and returns everything up to the close. */
export async function rawExchange(port: number, bytes: string | Buffer): Promise<string> {
  const client = await rawClient(port);
  client.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await client.closed;
  return client.text();
}

/** Steady load until `stop`; counts bodies, and every request that did not get a whole 200. */
export interface Load {
  answered: number;
  failures: string[];
  bodies: Map<string, number>;
  stop(): Promise<void>;
}

/** `workers` clients, each with a keep-alive connection of its own and one request at a time. */
export function startLoad(
  port: number,
  workers: number,
  options: { path?: string; method?: string } = {},
): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: workers });
  let stopped = false;
  const load: Load = { answered: 0, failures: [], bodies: new Map(), stop: () => Promise.resolve() };
  const once = () =>
    new Promise<void>((resolve) => {
      const fail = (error: Error) => {
        load.failures.push(error.message);
        resolve();
      };
      const target = {
        port,
        host: '127.0.0.1',
        path: options.path ?? '/load',
        method: options.method ?? 'GET',
        agent,
      };
      const outgoing = request(target, (res) => {
        let body = '';
        res.setEncoding('latin1').on('data', (part: string) => {
          body += part;
        });
        res.on('error', fail);
        res.on('end', () => {
          load.answered++;
          if (res.statusCode !== 200) load.failures.push(`status ${res.statusCode}`);
          load.bodies.set(body, (load.bodies.get(body) ?? 0) + 1);
          resolve();
        });
      });
      outgoing.on('error', fail);
      outgoing.end();
    });
  const running = Promise.all(
    Array.from({ length: workers }, async () => {
      while (!stopped) await once();
    }),
  );
  load.stop = async () => {
    stopped = true;
    await running;
    agent.destroy();
  };
  return load;
}
