import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import { type Git, type GitResult, PASSING_PREFIX, type RunOptions, runGit } from './git.ts';
import { parseRepositoryUrl } from './url.ts';

/** A bare repository of ours that follows another one's branches and tags. It is a cache: losing it costs a fetch. */
export interface Mirror {
  directory: string;
}

const FETCH_TIMEOUT_MS = 180_000;
/** Git holds a lock for milliseconds; one this old belongs to a process that was killed. */
const STALE_LOCK_MS = 60_000;

/** Where the mirror of a service lies. */
export function mirrorOf(git: Git, service: string): Mirror {
  if (!NAME_PATTERN.test(service))
    throw new SlipwayError('invalid_input', 'this is not the name of a service');
  return { directory: join(git.home, `${service}.git`) };
}

/** A mirror under a passing name, for a repository whose service is not known yet. */
export function passingMirror(git: Git): Mirror {
  return { directory: join(git.home, `${PASSING_PREFIX}${randomBytes(8).toString('hex')}.git`) };
}

/** Gives a passing mirror its place; one that is there already stays. */
export async function settleMirror(passing: Mirror, place: Mirror): Promise<void> {
  try {
    await rename(passing.directory, place.directory);
  } catch (error) {
    await removeMirror(passing);
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

export async function removeMirror(mirror: Mirror): Promise<void> {
  await rm(mirror.directory, { recursive: true, force: true, maxRetries: 3 });
}

const running = new Map<string, Promise<unknown>>();

/**
 * Brings branches and tags of `url` into the mirror, made when it is missing. Commits that vanish over there (force push,
 * deleted branch) stay here, so that old releases can be built. One fetch per mirror and process at a time; other
 * processes are kept apart by git's own locks. Heals locks left by a killed process and, once, a damaged mirror.
 * Throws `invalid_input` for the address, `source_unreachable` with `facts.reason`, `disk_full`, `timeout`.
 */
export async function fetchMirror(
  git: Git,
  mirror: Mirror,
  url: string,
  options: RunOptions = {},
): Promise<void> {
  const address = parseRepositoryUrl(url);
  const before = running.get(mirror.directory) ?? Promise.resolve();
  const mine = before.catch(() => {}).then(() => fetchHealing(git, mirror, address, options));
  running.set(mirror.directory, mine);
  try {
    await mine;
  } finally {
    if (running.get(mirror.directory) === mine) running.delete(mirror.directory);
  }
}

async function fetchHealing(git: Git, mirror: Mirror, address: string, options: RunOptions): Promise<void> {
  let rebuilt = false;
  for (let attempt = 1; ; attempt++) {
    await ensureBare(git, mirror);
    const result = await fetchOnce(git, mirror, address, options);
    if (result.exitCode === 0) return;
    if (
      attempt <= 4 &&
      /cannot lock ref|Unable to create .*\.lock|another git process/i.test(result.stderr)
    ) {
      await removeStaleLocks(mirror.directory, Date.now() - STALE_LOCK_MS);
      await new Promise((resolve) => setTimeout(resolve, 100 * attempt));
      continue;
    }
    if (!rebuilt && !(await isSound(git, mirror, reasonOf(result.stderr) === undefined))) {
      rebuilt = true;
      await removeMirror(mirror);
      continue;
    }
    throw fetchFailure(result.stderr, address);
  }
}

async function fetchOnce(git: Git, mirror: Mirror, address: string, options: RunOptions): Promise<GitResult> {
  const args = [
    // Said here and not only in the mirror's own file, which may be damaged.
    '-c',
    'core.bare=true',
    `--git-dir=${mirror.directory}`,
    'fetch',
    '--quiet',
    '--force',
    '--prune',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-auto-maintenance',
    '--no-recurse-submodules',
    '--end-of-options',
    address,
    '+refs/heads/*:refs/heads/*',
    '+refs/tags/*:refs/tags/*',
  ];
  try {
    return await runGit(git, args, { timeoutMs: FETCH_TIMEOUT_MS, ...options });
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'timeout') {
      throw new SlipwayError('source_unreachable', `fetching ${shown(address)} took too long`, {
        hint: 'Check the network, or that the repository is not too large.',
        facts: { reason: 'timeout' },
        cause: error,
      });
    }
    throw error;
  }
}

/** Made beside its place and renamed, so that a killed process leaves no half mirror. */
async function ensureBare(git: Git, mirror: Mirror): Promise<void> {
  if (await stat(join(mirror.directory, 'HEAD')).catch(() => null)) return;
  await removeMirror(mirror);
  await mkdir(dirname(mirror.directory), { recursive: true });
  const passing = passingMirror(git);
  const made = await runGit(git, [
    'init',
    '--quiet',
    '--bare',
    '--template=',
    '--end-of-options',
    passing.directory,
  ]);
  if (made.exitCode !== 0) {
    await removeMirror(passing);
    if (/No space left/i.test(made.stderr))
      throw new SlipwayError('disk_full', 'no disk left for the mirror of a repository');
    throw new SlipwayError('internal', `a mirror could not be made: ${made.stderr}`);
  }
  await settleMirror(passing, mirror);
}

async function removeStaleLocks(directory: string, before: number): Promise<void> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  for (const name of names.filter((name) => name.endsWith('.lock'))) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => null);
    if (found && found.mtimeMs < before) await rm(path, { force: true });
  }
}

/** Can git read our side? `deeply` follows every commit to its files; for failures nobody has an explanation for. */
async function isSound(git: Git, mirror: Mirror, deeply: boolean): Promise<boolean> {
  const run = async (args: readonly string[]): Promise<boolean> => {
    const all = [`--git-dir=${mirror.directory}`, ...args];
    const result = await runGit(git, all, { timeoutMs: 120_000 }).catch(() => null);
    return result?.exitCode === 0;
  };
  if (!(await run(['for-each-ref', '--count=1']))) return false;
  return !deeply || run(['fsck', '--connectivity-only', '--no-dangling', '--no-progress']);
}

/** Why a fetch failed, in words a person can act on. */
const REASONS: readonly { pattern: RegExp; reason: string; message: string; hint: string }[] = [
  {
    pattern: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    reason: 'host-key',
    message: 'the host key of the server is not known',
    hint: 'Add it to ~/.ssh/known_hosts of the user Slipway runs as, after checking its fingerprint.',
  },
  {
    pattern:
      /terminal prompts disabled|could not read (?:Username|Password)|Authentication failed|Permission denied|HTTP(?: code =)? 40[13]|error: 40[13]|Invalid username or password/i,
    reason: 'authentication',
    message: 'the server refused access',
    hint: 'Give the user Slipway runs as an SSH key or a ~/.netrc entry that may read the repository.',
  },
  {
    pattern: /transport '.*' not allowed|protocol '.*' (?:is )?not (?:supported|allowed)/i,
    reason: 'protocol',
    message: 'the address leads to a protocol that is not allowed',
    hint: 'Use https, ssh, http or file.',
  },
  {
    pattern:
      /Could not resolve host|Name or service not known|nodename nor servname|Temporary failure in name resolution/i,
    reason: 'network',
    message: 'the host name does not resolve',
    hint: 'Check the address and the network.',
  },
  {
    pattern:
      /Connection refused|Connection timed out|Failed to connect|No route to host|Network is unreachable|Operation too slow|Connection reset|Couldn't connect/i,
    reason: 'network',
    message: 'the server does not answer',
    hint: 'Check the address and that the server is up.',
  },
  {
    pattern: /SSL|certificate/i,
    reason: 'certificate',
    message: 'the certificate of the server is not accepted',
    hint: 'Give the authority to git with GIT_SSL_CAINFO.',
  },
  {
    pattern:
      /does not appear to be a git repository|repository '.*' not found|does not exist|No such file|Repository not found|not a git repository|HTTP 404|error: 404/i,
    reason: 'missing',
    message: 'there is no repository, or this user may not see it',
    hint: 'Check the address; a repository that exists but may not be read looks the same.',
  },
];

function reasonOf(stderr: string): (typeof REASONS)[number] | undefined {
  return REASONS.find(({ pattern }) => pattern.test(stderr));
}

function fetchFailure(stderr: string, address: string): SlipwayError {
  if (/No space left on device/i.test(stderr)) {
    return new SlipwayError('disk_full', 'no disk left for the mirror of a repository', {
      hint: 'Free some space.',
    });
  }
  const known = reasonOf(stderr);
  const said = stderr.split('\n').filter(Boolean).slice(-3).join(' · ').slice(0, 500);
  return new SlipwayError(
    'source_unreachable',
    `${shown(address)}: ${known?.message ?? 'git could not fetch'} (${said})`,
    {
      hint: known?.hint ?? 'Try "git ls-remote" with the address as the user Slipway runs as.',
      facts: { reason: known?.reason ?? 'unknown' },
    },
  );
}

function shown(address: string): string {
  return address.length > 200 ? `${address.slice(0, 199)}…` : address;
}
