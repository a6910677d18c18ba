import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';

/** One process of the installation, kept running until it is told to stop. */
export interface Child {
  name: string;
  pid(): number | null;
  restarts(): number;
  /** `ask` it to end in its own way first, then SIGTERM, then SIGKILL after the grace; gone and not coming back on return. */
  stop(graceMs: number, ask?: () => Promise<void>): Promise<void>;
}

export interface ChildOptions {
  name: string;
  command: readonly string[];
  logDirectory: string;
  env: NodeJS.ProcessEnv;
  log: Logger;
}

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5_000;
/** A child that ran for this long starts again at once. */
const STABLE_AFTER_MS = 10_000;

/** Starts the child in its own process group, output appended to its log, and restarts it whenever it ends. */
export function keepRunning(options: ChildOptions): Child {
  const stopping = new AbortController();
  let current: ChildProcess | null = null;
  let restarts = 0;
  const loop = (async () => {
    let delay = FIRST_DELAY_MS;
    while (!stopping.signal.aborted) {
      const startedAtMs = Date.now();
      current = await start(options);
      const child = current;
      const end = await new Promise<string>((resolve) => {
        child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
        child.once('error', (error) => resolve(error.message));
      });
      current = null;
      if (stopping.signal.aborted) return;
      restarts++;
      options.log.warn({ child: options.name, end, restarts }, 'a process ended and is started again');
      delay =
        Date.now() - startedAtMs > STABLE_AFTER_MS ? FIRST_DELAY_MS : Math.min(LAST_DELAY_MS, delay * 2);
      await sleep(delay, stopping.signal);
    }
  })();
  return {
    name: options.name,
    pid: () => current?.pid ?? null,
    restarts: () => restarts,
    async stop(graceMs, ask) {
      stopping.abort();
      await ask?.();
      current?.kill('SIGTERM');
      const impatient = setTimeout(() => {
        options.log.warn({ child: options.name, graceMs }, 'a process did not end in time and is killed');
        current?.kill('SIGKILL');
      }, graceMs);
      await loop;
      clearTimeout(impatient);
    },
  };
}

async function start({ name, command, logDirectory, env }: ChildOptions): Promise<ChildProcess> {
  const log = await open(join(logDirectory, `${name}.log`), 'a', 0o600);
  try {
    // Its own session: Ctrl-C in a terminal reaches only the supervisor, which stops things in order. The pipe at its
    // standard input closes when we die, however we die, and the child ends by itself.
    return spawn(command[0] as string, command.slice(1), {
      stdio: ['pipe', log.fd, log.fd],
      env: { ...env, SLIPWAY_SUPERVISED: '1' },
      detached: true,
    });
  } finally {
    await log.close();
  }
}
