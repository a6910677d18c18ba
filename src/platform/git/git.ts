import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';

/**
 * The real git, kept on a short lead: no prompts, no hooks, no system or personal configuration, four protocols, its own
 * process group with a deadline, bounded output. Repositories are hostile input: only plumbing that runs nothing from the
 * repository is used, never a checkout.
 */
export interface Git {
  /** Folder of the mirrors. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signers: Signers;
}

/** Whom commit signatures are checked against; without either, a signed commit is of an `unknown-key`. */
export interface Signers {
  /** In the format of ssh-keygen(1), ALLOWED SIGNERS. */
  allowedSignersFile?: string;
  /** A GnuPG home whose public keys are the accepted ones. */
  gnupgHome?: string;
}

const CONFIG = `[core]
	hooksPath = /dev/null
	fsmonitor = false
	symlinks = false
	fsync = committed
	fsyncMethod = fsync
	logAllRefUpdates = false
[safe]
	directory = *
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	fsckObjects = true
	recurseSubmodules = false
	writeCommitGraph = false
[fsck]
	zeroPaddedFilemode = ignore
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	missingTaggerEntry = ignore
[http]
	followRedirects = initial
	lowSpeedLimit = 1000
	lowSpeedTime = 30
[init]
	defaultBranch = main
[advice]
	detachedHead = false
`;

/** Writes the one configuration file git sees, in `home`, and gives the handle all functions here take. */
export async function openGit(home: string, signers: Signers = {}): Promise<Git> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const config = join(home, 'gitconfig');
  const quoted = (path: string) => `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const ssh = signers.allowedSignersFile
    ? `[gpg "ssh"]\n\tallowedSignersFile = ${quoted(signers.allowedSignersFile)}\n`
    : '';
  await writeFile(`${config}.${process.pid}`, CONFIG + ssh, { mode: 0o600 });
  await rename(`${config}.${process.pid}`, config);
  await removeLeftOvers(home);
  return { home, signers, environment: gitEnvironment(config, signers) };
}

/** Names of mirrors that are not at their place yet. */
export const PASSING_PREFIX = '.new-';
const LEFT_OVER_MS = 86_400_000;

/** Passing mirrors of processes that were killed. */
async function removeLeftOvers(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith(PASSING_PREFIX)) continue;
    const path = join(home, name);
    const found = await stat(path).catch(() => null);
    if (found && Date.now() - found.mtimeMs > LEFT_OVER_MS) await rm(path, { recursive: true, force: true });
  }
}

/** What git may see of our environment: where programs and SSH keys are, and how to reach the network. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'SSH_AUTH_SOCK',
  'http_proxy',
  'https_proxy',
  'HTTPS_PROXY',
  'no_proxy',
  'NO_PROXY',
  'GIT_SSL_CAINFO',
  'SSL_CERT_FILE',
  'TMPDIR',
];

function gitEnvironment(config: string, signers: Signers): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return {
    ...Object.fromEntries(passed),
    LC_ALL: 'C',
    GIT_CONFIG_GLOBAL: config,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'file:https:http:ssh',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_SSH_COMMAND: process.env.GIT_SSH_COMMAND ?? 'ssh -oBatchMode=yes -oConnectTimeout=15',
    ...(signers.gnupgHome ? { GNUPGHOME: signers.gnupgHome } : {}),
  };
}

export interface RunOptions {
  /** Default 30 s. */
  timeoutMs?: number;
  /** Default 16 MiB; more is `payload_too_large`. */
  maxBytes?: number;
  input?: string;
  signal?: AbortSignal;
}

export interface GitResult {
  exitCode: number;
  stdout: Buffer;
  /** Its end, without credentials and control characters. */
  stderr: string;
}

const MAX_STDERR = 8192;

/** Runs git to its end. Rejects with `timeout`, `payload_too_large` or `cancelled`; a failing exit code is a result. */
export function runGit(git: Git, args: readonly string[], options: RunOptions = {}): Promise<GitResult> {
  const { timeoutMs = 30_000, maxBytes = 16_777_216, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled());
    const child = spawnGit(git, args);
    const chunks: Buffer[] = [];
    let size = 0;
    let stderr = '';
    let failure: SlipwayError | null = null;
    const stop = (error: SlipwayError) => {
      failure ??= error;
      killGroup(child);
    };
    const timer = setTimeout(() => stop(timedOut(args, timeoutMs)), timeoutMs);
    const onAbort = () => stop(cancelled());
    signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes)
        stop(new SlipwayError('payload_too_large', `git gave more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-MAX_STDERR);
    });
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      end();
      reject(failure ?? notStarted(error));
    });
    child.on('close', (code) => {
      end();
      if (failure) return reject(failure);
      resolve({ exitCode: code ?? 128, stdout: Buffer.concat(chunks), stderr: cleanStderr(stderr) });
    });
    // A git that exits early closes its end; its exit code says why.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

const alive = new Set<ChildProcess>();
let endsWithUs = false;

/** In a process group of its own, so that transports and helpers end with it; all end with this process. */
export function spawnGit(git: Git, args: readonly string[]): ChildProcess {
  if (!endsWithUs) process.once('exit', () => alive.forEach(killGroup));
  endsWithUs = true;
  const child = spawn('git', args, {
    env: { ...git.environment },
    cwd: git.home,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  alive.add(child);
  child.once('close', () => alive.delete(child));
  child.once('error', () => alive.delete(child));
  return child;
}

export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it ended before
  }
}

export function notStarted(error: Error): SlipwayError {
  return new SlipwayError('source_unreachable', 'git could not be started', {
    hint: 'Install git 2.38 or newer and put it on the PATH.',
    cause: error,
  });
}

function timedOut(args: readonly string[], timeoutMs: number): SlipwayError {
  const command = args.find((arg) => /^[a-z]/.test(arg)) ?? '';
  return new SlipwayError('timeout', `git ${command} did not end within ${timeoutMs / 1000} s`);
}

function cancelled(): SlipwayError {
  return new SlipwayError('cancelled', 'the work with git was cancelled');
}

/** Servers write here: no control characters, no credentials, a bounded length. */
export function cleanStderr(text: string): string {
  return text
    .replace(/\/\/[^/\s@]*@/g, '//***@')
    .replace(/[^\P{Cc}\n]/gu, ' ')
    .trim()
    .slice(-2000);
}
