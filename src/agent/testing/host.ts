import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceSpec, InstanceStatus } from '../../kernel/dataplane.ts';
import { type AgentClient, createAgentClient } from '../../platform/agent-client.ts';
import type { RegistryClient } from '../../platform/oci/types.ts';
import { allPids, environmentOf, readStat } from '../processes.ts';
import { layoutRegistry } from './layout-registry.ts';

export const TOKEN = 'token-of-the-test-agent';

/** An agent in a process of its own over a directory of its own; `end` leaves nothing behind. */
export interface TestHost {
  directory: string;
  registry: RegistryClient;
  client: AgentClient;
  url(): string;
  agentPid(): number;
  start(env?: Record<string, string>): Promise<void>;
  /** Ends the agent process and waits for it. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Pids of living processes of instance `id`, or with `*` of all. */
  processesOf(id: string): number[];
  end(): Promise<void>;
}

export async function testHost(): Promise<TestHost> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-agent-'));
  let child: ChildProcess | null = null;
  let port = 0;
  const url = () => `http://127.0.0.1:${port}`;
  // Reads the port at each call: an agent that starts again has another.
  const client = new Proxy({} as AgentClient, {
    get: (_target, name: keyof AgentClient) =>
      createAgentClient({ url: url(), token: TOKEN, timeoutMs: 10_000 })[name],
  });

  async function kill(signal: NodeJS.Signals): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child!.once('exit', resolve));
    child.kill(signal);
    await gone;
    child = null;
  }

  return {
    directory,
    registry: layoutRegistry(join(directory, 'registry')),
    client,
    url,
    agentPid: () => child!.pid!,
    async start(env = {}) {
      const script = join(import.meta.dirname, 'agent-process.ts');
      const leak = openSync(join(directory, 'leak'), 'a');
      const started = spawn(process.execPath, [script, directory], {
        env: { ...process.env, SLIPWAY_TEST_SECRET: 'of the agent alone', ...env },
        // A descriptor that leaks into the agent, as a careless parent leaves it; no instance may have it. The number is above
        // those that Node.js itself closes.
        stdio: Object.assign(new Array(41).fill('ignore'), { 1: 'pipe', 2: 'inherit', 40: leak }),
      });
      closeSync(leak);
      child = started;
      port = await new Promise<number>((resolve, reject) => {
        started.once('exit', (code, signal) => reject(new Error(`the agent ended: ${code ?? signal}`)));
        createInterface(started.stdout!).once('line', (line) => resolve(Number(line)));
      });
    },
    kill,
    processesOf: (id) => instancePids(directory, id),
    async end() {
      await kill('SIGKILL');
      for (const pid of instancePids(directory)) process.kill(pid, 'SIGKILL');
      await until('no process is left', () => instancePids(directory).length === 0);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Living processes whose scratch directory is below `directory`: nobody else's on this machine. */
function instancePids(directory: string, id?: string): number[] {
  return allPids().filter((pid) => {
    const stat = readStat(pid);
    if (stat === null || stat.state === 'Z') return false;
    const home = environmentOf(pid, 'TMPDIR');
    if (home === null || !home.startsWith(`${directory}/`)) return false;
    return id === undefined || id === '*' || environmentOf(pid, 'SLIPWAY_INSTANCE') === id;
  });
}

const DEADLINE_MS = 20_000;

/** Polls until `check` holds; its value. Fails after a deadline with what was waited for. */
export async function until<Value>(
  what: string,
  check: () => Promise<Value> | Value,
  deadlineMs = DEADLINE_MS,
): Promise<NonNullable<Value>> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`);
    await delay(20);
  }
}

export async function untilState(
  host: TestHost,
  id: string,
  ...states: InstanceStatus['state'][]
): Promise<InstanceStatus> {
  let last: InstanceStatus | null = null;
  try {
    return (await until(`${id} is ${states}`, async () => {
      last = await host.client.get(id);
      return last !== null && states.includes(last.state) ? last : null;
    })) as InstanceStatus;
  } catch (error) {
    throw new Error(`${(error as Error).message}; it is ${JSON.stringify(last)}`);
  }
}

export function testSpec(fields: Partial<InstanceSpec> & Pick<InstanceSpec, 'id' | 'digest'>): InstanceSpec {
  return {
    lane: 'shop/prod',
    fence: 1,
    repository: 'shop',
    env: {},
    readiness: { path: '/healthz', periodMs: 100, timeoutMs: 1_000, failureThreshold: 2 },
    startTimeoutMs: 15_000,
    stopGraceMs: 5_000,
    resources: { memoryBytes: null, openFiles: null },
    ...fields,
  };
}
