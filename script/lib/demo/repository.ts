import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The shop as it stands at v1; `history/vN` beside it holds what each later commit changes. */
export const SHOP = fileURLToPath(new URL('../../../examples/shop/', import.meta.url));

/** Not part of the service: the history itself, and what a person's own run of the shop left there. */
const LEFT_OUT = new Set(['history', 'node_modules', 'reports', '.git']);

export interface ShopVersion {
  /** 1 to 4: v1, v2 (a feature), v3 (a defect), v4 (the fix). */
  n: number;
  /** What the shop answers in `x-shop-version`. */
  version: string;
  author: { name: string; email: string };
  /** RFC 3339, author and committer time alike. */
  date: string;
  message: string;
}

export interface ShopCommit extends ShopVersion {
  sha: string;
}

/** The versions in order, from `examples/shop/history`. */
export async function shopVersions(): Promise<ShopVersion[]> {
  const names = (await readdir(join(SHOP, 'history'))).filter((name) => /^v[1-9]\d*$/.test(name));
  const numbers = names.map((name) => Number(name.slice(1))).sort((a, b) => a - b);
  return Promise.all(
    numbers.map(async (n) => {
      const text = await readFile(join(SHOP, 'history', `v${n}`, 'commit.json'), 'utf8');
      return { n, ...(JSON.parse(text) as Omit<ShopVersion, 'n'>) };
    }),
  );
}

/**
 * A real git repository (branch `main`) with the commits v1 to `upTo` (all by default) in `directory`, which is made and
 * must not hold a repository. Authors, dates, file modes and git settings are fixed, so the shas are the same everywhere.
 */
export async function createShopRepository(
  directory: string,
  options: { upTo?: number } = {},
): Promise<ShopCommit[]> {
  const upTo = options.upTo ?? (await shopVersions()).length;
  await mkdir(directory, { recursive: true });
  await git(directory, ['init', '--quiet', '--initial-branch=main', '--template=']);
  const commits: ShopCommit[] = [];
  for (let n = 1; n <= upTo; n++) commits.push(await commitVersion(directory, n));
  return commits;
}

/** Adds version `n` as the next commit; its parent must be version `n - 1`. Gives the commit. */
export async function commitVersion(directory: string, n: number): Promise<ShopCommit> {
  const version = (await shopVersions()).find((candidate) => candidate.n === n);
  if (version === undefined) throw new RangeError(`examples/shop/history has no v${n}`);
  if (n > 1) await expectParent(directory, n - 1);
  if (n === 1) await copyTree(SHOP, directory, LEFT_OUT);
  else await copyTree(join(SHOP, 'history', `v${n}`, 'tree'), directory, new Set());
  await git(directory, ['add', '--all']);
  await git(directory, ['commit', '--quiet', '--no-verify', `--message=${version.message}`], {
    GIT_AUTHOR_NAME: version.author.name,
    GIT_AUTHOR_EMAIL: version.author.email,
    GIT_AUTHOR_DATE: version.date,
    GIT_COMMITTER_NAME: version.author.name,
    GIT_COMMITTER_EMAIL: version.author.email,
    GIT_COMMITTER_DATE: version.date,
  });
  return { ...version, sha: (await git(directory, ['rev-parse', 'HEAD'])).trim() };
}

async function expectParent(directory: string, n: number): Promise<void> {
  const count = Number(await git(directory, ['rev-list', '--count', 'HEAD']));
  if (count !== n) throw new RangeError(`v${n + 1} follows v${n}, but the repository has ${count} commits`);
}

/** Modes are not copied: a checkout under another umask gives the same commit. */
async function copyTree(from: string, to: string, leftOut: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name)
      .slice(from.length)
      .replace(/^[\\/]/, '');
    if (leftOut.has(path.split(sep)[0] ?? '')) continue;
    const target = join(to, path);
    await mkdir(join(target, '..'), { recursive: true });
    // A file in place keeps its inode's mode; the copy takes the umask's.
    await rm(target, { force: true });
    await copyFile(join(from, path), target);
  }
}

/** Whether `directory` holds a repository already. */
export async function isRepository(directory: string): Promise<boolean> {
  return access(join(directory, '.git')).then(
    () => true,
    () => false,
  );
}

/** git without the person's own settings: hooks, signing, line endings and excludes would change the commits. */
async function git(
  directory: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const settings = [
    'core.autocrlf=false',
    'core.fileMode=false',
    'commit.gpgSign=false',
    'core.hooksPath=/dev/null',
  ];
  const { stdout } = await run('git', [...settings.flatMap((setting) => ['-c', setting]), ...args], {
    cwd: directory,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: directory,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      ...env,
    },
  });
  return stdout;
}
