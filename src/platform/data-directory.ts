import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';

/** Where everything of one installation lives. */
export interface DataDirectory {
  root: string;
  run: string;
  postgres: string;
  blobs: string;
  keys: string;
  repos: string;
  cache: string;
  work: string;
  logs: string;
  adminTokenFile: string;
  runtimeFile: string;
}

export function dataDirectory(root: string): DataDirectory {
  const absolute = resolve(root);
  const at = (...parts: string[]) => join(absolute, ...parts);
  return {
    root: absolute,
    run: at('run'),
    postgres: at('postgres'),
    blobs: at('blobs'),
    keys: at('keys'),
    repos: at('repos'),
    cache: at('cache'),
    work: at('work'),
    logs: at('logs'),
    adminTokenFile: at('run', 'admin-token'),
    runtimeFile: at('run', 'runtime.json'),
  };
}

/** How the processes of one installation find each other. Holds secrets: 0600, never logged. */
export interface Runtime {
  databaseUrl: string;
  server: { host: string; port: number };
  router: { port: number };
  agent: { port: number };
  postgresPort: number | null;
  /** Bearer token of the router's and the agent's control ports. */
  controlToken: string;
}

export async function createDirectories(data: DataDirectory): Promise<void> {
  await mkdir(data.root, { recursive: true, mode: 0o700 });
  for (const path of [data.run, data.blobs, data.keys, data.repos, data.cache, data.work, data.logs]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
  await chmod(data.run, 0o700);
}

export async function writeRuntime(data: DataDirectory, runtime: Runtime): Promise<void> {
  await writeFileDurably(data.runtimeFile, `${JSON.stringify(runtime, null, 2)}\n`, 0o600);
}

export async function readRuntime(data: DataDirectory): Promise<Runtime> {
  const text = await readFile(data.runtimeFile, 'utf8').catch((cause) => {
    throw new SlipwayError('unreachable', `no Slipway has run in ${data.root}`, {
      cause,
      hint: 'start one with: slipway up',
    });
  });
  return JSON.parse(text) as Runtime;
}

/** The runtime of an earlier run, to keep its ports and names; null on the first. */
export function previousRuntime(data: DataDirectory): Runtime | null {
  return existsSync(data.runtimeFile)
    ? (JSON.parse(readFileSync(data.runtimeFile, 'utf8')) as Runtime)
    : null;
}

/** Whole or not at all, also over a power cut: temporary file, fsync, rename, fsync of the directory. */
export async function writeFileDurably(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** `--data`, SLIPWAY_DATA, or `.slipway` below the working directory. */
export function chooseDataDirectory(flag: string | undefined): DataDirectory {
  return dataDirectory(flag ?? process.env.SLIPWAY_DATA ?? '.slipway');
}
