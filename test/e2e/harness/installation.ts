import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dataDirectory, readRuntime } from '../../../src/platform/data-directory.ts';
import { type Database, openDatabase } from '../../../src/platform/postgres/database.ts';
import { type ApiClient, createApi } from './api.ts';
import { type ChildName, childPid, isAlive, postmasterPid, processesOf } from './processes.ts';
import { until } from './until.ts';

export const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 40_000;

/** A whole Slipway of the product's own processes, in a directory of its own, started and ended like a person would. */
export interface Installation {
  /** The data directory. */
  root: string;
  /** For repositories and other things beside it. */
  home: string;
  url(): string;
  api(): ApiClient;
  /** Straight to PostgreSQL, so that what is asserted does not go through the code under test. */
  database(): Database;
  start(options?: { port?: number; env?: NodeJS.ProcessEnv }): Promise<void>;
  supervisorPid(): number;
  pid(name: ChildName): number;
  postmaster(): number;
  /** kill -9; gives the pid that is gone. */
  kill(name: ChildName | 'postgres'): number;
  /** Resolves when another process does the work of `old`, with the time it was first seen. */
  restarted(name: ChildName | 'postgres', old: number): Promise<number>;
  killSupervisor(): Promise<void>;
  /** Ctrl-C, and until the supervisor has gone. */
  interrupt(): Promise<void>;
  /** Ends everything, asserts that no process is left, removes the directory; `before` that, its own last step. */
  close(last?: () => Promise<void>): Promise<void>;
}

export type StartFailure = { code?: string; message: string; hint?: string };

export class NotStarted extends Error {
  readonly failure: StartFailure;

  constructor(failure: StartFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

interface State {
  child: ChildProcess | null;
  exited: Promise<unknown>;
  url: string;
  token: string;
  database: Database | null;
}

/** Makes the directory; nothing runs before `start`. `place` prepares the data directory (a small disk, for instance). */
export async function createInstallation(place?: (root: string) => Promise<void>): Promise<Installation> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'slipway-e2e-')));
  const root = join(home, 'data');
  await mkdir(root, { mode: 0o700 });
  await place?.(root);
  const state: State = { child: null, exited: Promise.resolve(), url: '', token: '', database: null };
  const pidOf = (name: ChildName | 'postgres') =>
    name === 'postgres' ? postmasterPid(root) : childPid(root, name);
  const running = (name: ChildName | 'postgres') => {
    const pid = pidOf(name);
    assert.ok(pid !== null, `no ${name} runs`);
    return pid;
  };
  const installation: Installation = {
    root,
    home,
    url: () => state.url,
    api: () => createApi(state.url, state.token),
    database: () => state.database!,
    start: (options = {}) => start(state, root, home, options),
    supervisorPid: () => state.child!.pid!,
    pid: running,
    postmaster: () => running('postgres'),
    kill(name) {
      const pid = running(name);
      process.kill(pid, 'SIGKILL');
      return pid;
    },
    async restarted(name, old) {
      await until(
        `${name} is started again`,
        () => {
          const pid = pidOf(name);
          return pid !== null && pid !== old;
        },
        15_000,
      );
      return Date.now();
    },
    async killSupervisor() {
      state.child!.kill('SIGKILL');
      await state.exited;
    },
    interrupt: () => interrupt(state),
    close: (last) => close(state, root, home, last),
  };
  return installation;
}

async function start(
  state: State,
  root: string,
  home: string,
  { port = 0, env = {} }: { port?: number; env?: NodeJS.ProcessEnv },
): Promise<void> {
  const logFile = join(home, 'supervisor.log');
  const log = openSync(logFile, 'a');
  const { DATABASE_URL: _, SLIPWAY_TOKEN: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, 'up', '--data', root, '--port', String(port), '--json=url'], {
    stdio: ['ignore', 'pipe', log],
    env: { ...inherited, ...env },
  });
  closeSync(log);
  state.child = child;
  state.exited = new Promise((resolve) => child.once('exit', resolve));
  const url = await firstAnswer(child);
  if (url === null) {
    await state.exited;
    throw new NotStarted(lastError(await readFile(logFile, 'utf8')));
  }
  const data = dataDirectory(root);
  state.url = url;
  state.token = (await readFile(data.adminTokenFile, 'utf8')).trim();
  // Not waited for: a pool whose PostgreSQL was killed may take its time.
  void state.database?.close().catch(() => {});
  state.database = openDatabase((await readRuntime(data)).databaseUrl, { applicationName: 'e2e', max: 4 });
}

/** The address it says it is up at; null when it ended before. */
function firstAnswer(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve, reject) => {
    let output = '';
    const late = setTimeout(() => reject(new Error('slipway did not come up in time')), START_DEADLINE_MS);
    const end = (url: string | null) => {
      clearTimeout(late);
      resolve(url);
    };
    child.stdout!.on('data', (chunk) => {
      output += chunk;
      const url = /"url": ?"([^"]+)"/.exec(output)?.[1];
      if (url !== undefined) end(url);
    });
    child.once('exit', () => end(null));
  });
}

/** With --json the last line of a failed command is the error as a value. */
function lastError(log: string): StartFailure {
  const line = log.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(line) as { error: StartFailure }).error;
}

async function interrupt(state: State): Promise<void> {
  state.child!.kill('SIGINT');
  const late = setTimeout(() => state.child?.kill('SIGKILL'), STOP_DEADLINE_MS);
  await state.exited;
  clearTimeout(late);
  assert.equal(state.child!.exitCode, 0, 'the supervisor ends in order');
}

async function close(state: State, root: string, home: string, last?: () => Promise<void>): Promise<void> {
  await state.database?.close();
  try {
    if (state.child !== null && isAlive(state.child.pid!)) await interrupt(state);
    const left = processesOf(root).map(({ pid, command }) => `${pid} ${command.join(' ').slice(0, 120)}`);
    assert.deepEqual(left, [], 'no process is left');
  } finally {
    for (const { pid } of processesOf(root)) process.kill(pid, 'SIGKILL');
    await last?.();
    // For whoever looks into a failure: SLIPWAY_KEEP=1 leaves the directory with its logs.
    if (process.env.SLIPWAY_KEEP === '1') process.stderr.write(`kept: ${home}\n`);
    else await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}
