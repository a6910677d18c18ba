import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SlipwayError } from '../kernel/errors.ts';
import { sleep } from '../platform/clock.ts';
import {
  createDirectories,
  type DataDirectory,
  previousRuntime,
  type Runtime,
  writeRuntime,
} from '../platform/data-directory.ts';
import type { Logger } from '../platform/log.ts';
import { freePort, portIsFree } from '../platform/ports.ts';
import { openDatabase } from '../platform/postgres/database.ts';
import { type EmbeddedPostgres, ensureDatabase, startPostgres } from '../platform/postgres/embedded.ts';
import { migrate } from '../platform/postgres/migrate.ts';
import { migrateQueue } from '../platform/queue/queue.ts';
import { type Child, keepRunning } from './children.ts';
import { lockDirectory } from './lock.ts';

export interface UpOptions {
  data: DataDirectory;
  /** Loopback unless asked otherwise. */
  host: string;
  /** 0: any free port, the same again next time. */
  port: number;
  log: Logger;
  /** One line a step, for people. */
  progress(message: string): void;
  /** Ends a start that is under way; what was started is stopped. */
  signal?: AbortSignal;
}

export interface Up {
  url: string;
  runtime: Runtime;
  children: readonly Child[];
  postgres: EmbeddedPostgres | null;
  /** Stops everything in order: workers, server, instances, router, PostgreSQL. Data stays. */
  stop(): Promise<void>;
}

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));
const HEALTH_DEADLINE_MS = 30_000;
const STOP_GRACE_MS = 15_000;
/** A port of the run before is waited for this long before another takes its place. */
const PORT_WAIT_MS = 5_000;
const PORT_POLL_MS = 100;

/** Starts a whole Slipway in the data directory and waits until it answers. */
export async function up(options: UpOptions): Promise<Up> {
  const { data, progress } = options;
  await createDirectories(data);
  const unlock = await lockDirectory(data);
  const stops: (() => Promise<void>)[] = [unlock];
  const stop = async () => {
    for (const end of stops.reverse().splice(0)) await end();
  };
  try {
    const runtime = await chooseRuntime(options);
    const keeper = await keepPostgres(options, runtime);
    if (keeper) stops.push(keeper.stop);
    await prepareDatabase(runtime, progress);
    await writeRuntime(data, runtime);
    const children = startChildren(options, runtime, stops);
    progress('waiting for server, worker, router and host agent');
    await waitHealthy(runtime, children, options.signal);
    const url = `http://${urlHost(runtime.server.host)}:${runtime.server.port}`;
    return { url, runtime, children, postgres: keeper?.current() ?? null, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function urlHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}

async function chooseRuntime({ data, host, port }: UpOptions): Promise<Runtime> {
  const before = previousRuntime(data);
  // Children of a supervisor that was killed may still be on their way out.
  const keep = async (wanted: number | undefined | null) =>
    wanted && (await becomesFree(wanted, '127.0.0.1')) ? wanted : freePort();
  if (
    port !== 0 &&
    !(port === before?.server.port ? await becomesFree(port, host) : await portIsFree(port, host))
  ) {
    throw new SlipwayError('port_taken', `port ${port} on ${host} is in use`, {
      hint: 'stop what listens there, or choose another with --port',
    });
  }
  const external = process.env.DATABASE_URL ?? null;
  const [kept, router, agent, postgres] = await Promise.all([
    port === 0 ? keep(before?.server.port) : port,
    keep(before?.router.port),
    keep(before?.agent.port),
    external === null ? keep(before?.postgresPort) : null,
  ]);
  return {
    databaseUrl: external ?? '',
    server: { host, port: kept },
    router: { port: router },
    agent: { port: agent },
    postgresPort: postgres,
    controlToken: before?.controlToken ?? randomBytes(32).toString('base64url'),
  };
}

async function becomesFree(port: number, host: string): Promise<boolean> {
  for (let waitedMs = 0; !(await portIsFree(port, host)); waitedMs += PORT_POLL_MS) {
    if (waitedMs >= PORT_WAIT_MS) return false;
    await sleep(PORT_POLL_MS);
  }
  return true;
}

/** Embedded PostgreSQL, started again whenever it ends. */
async function keepPostgres(
  { data, log, progress }: UpOptions,
  runtime: Runtime,
): Promise<{ current(): EmbeddedPostgres; stop(): Promise<void> } | null> {
  if (runtime.postgresPort === null) return null;
  progress('starting PostgreSQL');
  const options = {
    directory: data.postgres,
    port: runtime.postgresPort,
    logFile: `${data.logs}/postgres.log`,
    endsWithParent: true,
  };
  let current = await startPostgres(options);
  runtime.databaseUrl = await ensureDatabase(current.url, 'slipway');
  let stopping = false;
  const loop = (async () => {
    while (!stopping) {
      await current.exited;
      if (stopping) return;
      log.warn('PostgreSQL ended and is started again');
      for (;;) {
        try {
          current = await startPostgres(options);
          break;
        } catch (error) {
          log.error({ error: (error as Error).message }, 'PostgreSQL does not start');
          if (stopping) return;
          await sleep(1_000);
        }
      }
    }
  })();
  return {
    current: () => current,
    async stop() {
      stopping = true;
      await current.stop();
      await loop;
    },
  };
}

async function prepareDatabase(runtime: Runtime, progress: (message: string) => void): Promise<void> {
  progress('preparing the database');
  const database = openDatabase(runtime.databaseUrl, { max: 2, applicationName: 'slipway-up' });
  try {
    await migrate(database, MIGRATIONS);
  } finally {
    await database.close();
  }
  await migrateQueue(runtime.databaseUrl);
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** The data plane first, so that it outlives the rest on the way down. */
function startChildren({ data, log }: UpOptions, runtime: Runtime, stops: (() => Promise<void>)[]): Child[] {
  const main = import.meta.url.endsWith('.ts') ? MAIN : MAIN.replace(/\.ts$/, '.js');
  return ['router', 'agent', 'server', 'worker'].map((name) => {
    const command = [process.execPath, main, name, '--data', data.root];
    const child = keepRunning({ name, command, logDirectory: data.logs, env: childEnv(data), log });
    stops.push(() => child.stop(STOP_GRACE_MS, name === 'agent' ? () => stopInstances(runtime) : undefined));
    return child;
  });
}

/** What a child needs of our environment; secrets travel in the runtime file. Compiled code is kept: a start takes half the time. */
function childEnv(data: DataDirectory): NodeJS.ProcessEnv {
  const { SLIPWAY_TOKEN: _, DATABASE_URL: __, ...rest } = process.env;
  return { NODE_COMPILE_CACHE: join(data.cache, 'node'), ...rest };
}

/** Instances outlive the agent on purpose; a clean end of the whole stops them through it. They start again with it. */
async function stopInstances(runtime: Runtime): Promise<void> {
  try {
    await fetch(`http://127.0.0.1:${runtime.agent.port}/shutdown`, {
      method: 'POST',
      headers: { authorization: `Bearer ${runtime.controlToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ stopInstances: true }),
      signal: AbortSignal.timeout(STOP_GRACE_MS),
    });
  } catch {
    // The agent is gone; its instances are found by the next one.
  }
}

async function waitHealthy(
  runtime: Runtime,
  children: readonly Child[],
  signal?: AbortSignal,
): Promise<void> {
  const checks: [string, string][] = [
    ['router', `http://127.0.0.1:${runtime.router.port}/health`],
    ['agent', `http://127.0.0.1:${runtime.agent.port}/health`],
    ['server', `http://${urlHost(runtime.server.host)}:${runtime.server.port}/v1/health`],
  ];
  for (const [name, url] of checks) {
    const started = Date.now();
    for (;;) {
      const headers = { authorization: `Bearer ${runtime.controlToken}` };
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout(2_000) }).catch(() => null);
      if (answer?.ok) break;
      if (signal?.aborted) throw new SlipwayError('cancelled', 'the start was interrupted');
      if (Date.now() - started > HEALTH_DEADLINE_MS) {
        const restarts = children.find((child) => child.name === name)?.restarts() ?? 0;
        throw new SlipwayError('timeout', `${name} did not become healthy (${restarts} restarts)`, {
          hint: `see logs/${name}.log in the data directory`,
        });
      }
      await sleep(50);
    }
  }
}
