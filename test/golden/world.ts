import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../src/cli/main.ts';
import { local } from '../../src/local.ts';
import { testRepository } from '../../src/platform/git/testing.ts';
import { createIo } from '../cli/io.ts';
import { createNormalizer } from './normalize.ts';
import { VERSIONS } from './service.ts';
import type { World } from './session.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const FIXTURES = fileURLToPath(new URL('fixtures', import.meta.url));

/** A whole Slipway as `slipway up` starts it, with a repository to release from. */
export interface Installation extends World {
  url: string;
  data: string;
  /** kill -9 of one of its processes; the supervisor starts it again. */
  kill(name: 'server' | 'worker'): void;
  stop(): Promise<number>;
}

export async function startInstallation(): Promise<Installation> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-golden-'));
  const data = join(home, 'data');
  const cwd = join(home, 'work');
  await cp(FIXTURES, cwd, { recursive: true });
  const repository = testRepository();
  const commits: string[] = [];
  const { child, url } = await startUp(data);
  // The data directory is chosen where the command runs; here that is this process.
  process.env.SLIPWAY_DATA = data;
  const env = { HOME: home, PATH: process.env.PATH ?? '', SLIPWAY_DATA: data };
  const normalizer = createNormalizer({
    commits,
    folders: { data, repository: repository.directory, work: cwd, home },
    version: await local.version(),
  });
  return {
    url,
    data,
    cwd,
    env,
    normalizer,
    async happen(what) {
      if (what.startsWith('until ')) return until(what.slice('until '.length), env);
      const version = VERSIONS[Number(/^commit (\d)$/.exec(what)?.[1]) - 1];
      if (!version) throw new Error(`nothing is known to happen as "${what}"`);
      commits.push(repository.commit(version.files, version.message));
    },
    kill(name) {
      const list = spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(child.pid)], {
        encoding: 'utf8',
      }).stdout;
      const line = list.split('\n').find((candidate) => candidate.includes(`main.ts ${name} `));
      if (line === undefined) throw new Error(`there is no ${name}: ${list}`);
      process.kill(Number.parseInt(line, 10), 'SIGKILL');
    },
    async stop() {
      child.kill('SIGINT');
      const [code] = (await once(child, 'exit')) as [number | null];
      repository.remove();
      await rm(home, { recursive: true, force: true });
      delete process.env.SLIPWAY_DATA;
      return code ?? -1;
    },
  };
}

const CONDITIONS: Readonly<Record<string, { words: readonly string[]; holds(answer: never): boolean }>> = {
  'corner/prod waits for approval': {
    words: ['status', 'corner', '--json=cells'],
    holds: ([{ cells }]: [{ cells: { environment: string; waiting: { status: string }[] }[] }]) =>
      cells.find(({ environment }) => environment === 'prod')?.waiting[0]?.status === 'awaiting-approval',
  },
  'corner is at rest': {
    words: ['status', 'corner', '--json=cells'],
    holds: ([{ cells }]: [
      { cells: { health: string; sample: { instances: { total: number } } | null }[] },
    ]) => cells.every(({ health, sample }) => health === 'healthy' && sample?.instances.total === 1),
  },
  'corner/prod holds at 25 %': {
    words: [
      'rollout',
      'list',
      '--active',
      '--service',
      'corner',
      '--environment',
      'prod',
      '--json=phase,weights,reasons',
    ],
    holds: ([rollout]: { phase: string; weights: { canary: number }; reasons: string[] }[]) =>
      rollout?.phase === 'stepping' &&
      rollout.weights.canary === 25 &&
      rollout.reasons[0]?.startsWith('paused by policy') === true,
  },
};

/** Asks the command line until it is so. */
async function until(condition: string, env: Readonly<Record<string, string>>): Promise<void> {
  const known = CONDITIONS[condition];
  if (!known) throw new Error(`no condition is known as "${condition}"`);
  const deadlineMs = Date.now() + 30_000;
  for (;;) {
    const io = createIo({ env });
    if ((await runCli(known.words, { local }, io)) === 0 && known.holds(JSON.parse(io.out()) as never))
      return;
    if (Date.now() > deadlineMs)
      throw new Error(`it never came to this: ${condition}; ${io.out()}${io.err()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function startUp(data: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN, 'up', '--data', data], { stdio: ['ignore', 'pipe', 'pipe'] });
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`slipway up ended: ${err}`);
  });
  const [first] = (await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended])) as [
    Buffer,
  ];
  ended.catch(() => {});
  return { child, url: first.toString('utf8').trim() };
}
