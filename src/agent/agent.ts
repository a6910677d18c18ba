import { mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { RegistryClient } from '../platform/oci/types.ts';
import { type ControlServer, startControl } from './control.ts';
import { writeDurably } from './durable.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { openImageStore } from './images.ts';
import { LIMITS } from './limits.ts';
import { lockDirectory } from './lock.ts';
import { type InstanceLogs, openLogs } from './logs.ts';
import { createMetrics } from './metrics.ts';
import { bootId } from './processes.ts';
import { sandboxProblem } from './sandbox.ts';
import { createStarter } from './starter.ts';
import { openStore } from './store.ts';

export interface AgentOptions {
  /** The data directory of Slipway; the agent keeps everything below `host/`. */
  dataDirectory: string;
  control: { host: string; port: number };
  token: string;
  registry: RegistryClient;
  clock: Clock;
  log: Logger;
}

export interface Agent {
  controlPort: number;
  /** The agent goes; its instances stay, or with `stopInstances` stop too and are started again by the next agent. */
  close(options?: { stopInstances?: boolean }): Promise<void>;
  /** Resolves when the agent has closed, also by POST /shutdown: the process may exit then. */
  closed: Promise<void>;
}

/**
 * Runs the host agent in this process. Throws `conflict` when another agent has the data directory, `port_taken`, or
 * `tampered` when its records cannot be read.
 */
export async function runAgent(options: AgentOptions): Promise<Agent> {
  const hostDirectory = join(options.dataDirectory, 'host');
  await mkdir(hostDirectory, { recursive: true, mode: 0o700 });
  const dataDirectory = await realpath(options.dataDirectory);
  const lock = await lockDirectory(dataDirectory);
  try {
    const parts = await assemble(options, dataDirectory);
    return await serve(options, parts, () => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface Parts {
  fleet: Fleet;
  logs: InstanceLogs;
  metrics: ReturnType<typeof createMetrics>;
  sandbox: string;
}

async function assemble(options: AgentOptions, dataDirectory: string): Promise<Parts> {
  const { clock, log, registry } = options;
  const hostDirectory = join(dataDirectory, 'host');
  const agentId = await agentIdOf(hostDirectory, clock);
  const store = openStore(hostDirectory);
  const [{ records, fences }, images, logs, problem] = await Promise.all([
    store.load(),
    openImageStore(join(hostDirectory, 'images'), registry, clock, log),
    openLogs(join(hostDirectory, 'logs')),
    sandboxProblem(),
  ]);
  if (problem !== null)
    log.warn({ problem }, 'instances run without a mount namespace: they can read the data directory');
  const metrics = createMetrics();
  const boot = bootId();
  const others = new Map(records.map((record) => [record.spec.id, record.port]));
  let fleet: Fleet | null = null;
  const starter = createStarter({
    clock,
    bootId: boot,
    agentId,
    dataDirectory,
    hostDirectory,
    logs,
    sandboxed: problem === null,
    portsTaken(id) {
      const ports =
        fleet === null
          ? [...others]
          : fleet.records().map((record) => [record.spec.id, record.port] as const);
      return new Set(ports.flatMap(([other, port]) => (other === id || port === null ? [] : [port])));
    },
  });
  const around = {
    clock,
    log,
    store,
    images,
    logs,
    bootId: boot,
    times: LIMITS,
    starter,
    count: metrics.count,
  };
  fleet = startFleet({ around, agentId, hostDirectory, records, fences });
  return { fleet, logs, metrics, sandbox: problem === null ? 'mount-namespace' : 'none' };
}

async function serve(options: AgentOptions, parts: Parts, release: () => void): Promise<Agent> {
  const { clock, log, token } = options;
  const { fleet, logs, metrics } = parts;
  const startedAtMs = clock.nowMs();
  const closed = Promise.withResolvers<void>();
  let closing: Promise<void> | null = null;
  const tidying = setInterval(() => {
    logs
      .tidy(new Set(fleet.list().map(({ id }) => id)))
      .catch((error) => log.warn({ err: error }, 'logs cannot be tidied'));
  }, LIMITS.logCheckMs);
  let control: ControlServer | null = null;
  async function shutDown(stopInstances: boolean): Promise<void> {
    clearInterval(tidying);
    if (stopInstances) await fleet.halt();
    await fleet.detach();
    await control?.close();
    release();
    log.info({ stopInstances }, 'agent closed');
  }
  const close = ({ stopInstances = false } = {}): Promise<void> => {
    closing ??= shutDown(stopInstances).finally(closed.resolve);
    return closing;
  };
  try {
    control = await startControl({
      ...options.control,
      token,
      log,
      fleet,
      logs,
      health: async () => health(parts, startedAtMs),
      metrics: () => metrics.text(fleet.list()),
      shutDown: (stopInstances) => {
        close({ stopInstances }).catch((error) => log.error({ err: error }, 'the agent cannot close'));
      },
    });
  } catch (error) {
    await close();
    throw error;
  }
  log.info({ controlPort: control.port, sandbox: parts.sandbox }, 'agent ready');
  return { controlPort: control.port, close, closed: closed.promise };
}

/** What this host enforces, said as it is. */
function health({ fleet, sandbox }: Parts, startedAtMs: number): object {
  return {
    status: 'ok',
    pid: process.pid,
    startedAtMs,
    instances: fleet.list().length,
    hostRuntime: { node: process.version },
    enforced: {
      filesystem: sandbox,
      memory: `watched: resident memory is looked at every ${LIMITS.memoryCheckMs} ms while the agent runs`,
      openFiles: 'rlimit',
    },
  };
}

async function agentIdOf(hostDirectory: string, clock: Clock): Promise<string> {
  const path = join(hostDirectory, 'agent-id');
  const text = await readFile(path, 'utf8').catch(() => '');
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  const id = Buffer.from(clock.random(16)).toString('hex');
  await writeDurably(path, id);
  return id;
}
