import { SlipwayError } from '../../kernel/errors.ts';
import { type Git, runGit } from './git.ts';
import type { Mirror } from './mirror.ts';

const SHA = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const REF = /^(?![-./@])(?!.*(?:\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)))[^\s\p{Cc}~^:?*[\\]{1,250}(?<![./])$/u;

export function isCommitSha(text: string): boolean {
  return SHA.test(text);
}

/** A branch or tag name git would accept (git-check-ref-format), and that cannot be taken for an option or a range. */
export function isRefName(text: string): boolean {
  return REF.test(text);
}

function missing(what: string, hint: string): SlipwayError {
  return new SlipwayError('commit_not_found', what, { hint });
}

/**
 * The full hash of a branch, a tag, a full ref, a full or an abbreviated hash, in this order; a full ref or hash means only
 * itself, so that nobody can shadow it with a branch of that name. Throws `commit_not_found`, `invalid_input`.
 */
export async function resolveCommit(git: Git, mirror: Mirror, ref: string): Promise<string> {
  if (!isRefName(ref)) throw new SlipwayError('invalid_input', 'this is not a branch, tag or commit hash');
  const names =
    isCommitSha(ref) || ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  if (/^[0-9a-f]{7,63}$/.test(ref)) names.push(ref);
  for (const name of names) {
    const args = [
      `--git-dir=${mirror.directory}`,
      'rev-parse',
      '--quiet',
      '--verify',
      '--end-of-options',
      `${name}^{commit}`,
    ];
    const { exitCode, stdout } = await runGit(git, args);
    const sha = stdout.toString('latin1').trim();
    if (exitCode === 0 && isCommitSha(sha)) return sha;
  }
  throw missing(
    `the repository has no branch, tag or commit "${ref.slice(0, 100)}"`,
    await branchHint(git, mirror),
  );
}

async function branchHint(git: Git, mirror: Mirror): Promise<string> {
  const branches = await listRefs(git, mirror, 'refs/heads/', 10);
  if (branches.length === 0) return 'The repository is empty; push a commit first.';
  return `Branches: ${branches.map((branch) => branch.name.slice('refs/heads/'.length)).join(', ')}.`;
}

/** Refs below a prefix, the newest first, with the commits they lead to; refs to other things are left out. */
export async function listRefs(
  git: Git,
  mirror: Mirror,
  prefix: 'refs/heads/' | 'refs/tags/',
  limit: number,
): Promise<{ name: string; sha: string }[]> {
  const format = '%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)';
  const args = ['for-each-ref', `--count=${limit}`, '--sort=-creatordate', `--format=${format}`, prefix];
  const { exitCode, stdout } = await runGit(git, [`--git-dir=${mirror.directory}`, ...args]);
  if (exitCode !== 0) return [];
  return stdout
    .toString('utf8')
    .split('\n')
    .flatMap((line) => {
      const [name = '', type, sha = '', peeledType, peeled = ''] = line.split('\0');
      if (type === 'commit') return [{ name, sha }];
      return peeledType === 'commit' ? [{ name, sha: peeled }] : [];
    });
}

/** Hashes from `sha` back along first parents, newest first. */
export async function firstParents(git: Git, mirror: Mirror, sha: string, limit: number): Promise<string[]> {
  requireSha(sha);
  const args = ['rev-list', '--first-parent', `--max-count=${limit}`, '--end-of-options', sha];
  const { exitCode, stdout } = await runGit(git, [`--git-dir=${mirror.directory}`, ...args]);
  if (exitCode !== 0)
    throw missing(`the repository has no commit ${sha}`, 'It may not have been pushed yet.');
  return stdout.toString('latin1').split('\n').filter(isCommitSha);
}

/**
 * The bytes of a regular file at a commit; null when there is none. Throws `payload_too_large` above `maxBytes`,
 * `invalid_input` when a folder or symbolic link stands there, `commit_not_found`.
 */
export async function readFileAt(
  git: Git,
  mirror: Mirror,
  sha: string,
  path: string,
  maxBytes: number,
): Promise<Buffer | null> {
  requireSha(sha);
  if (path === '' || path.startsWith('/') || path.includes('\0')) {
    throw new SlipwayError('invalid_input', 'expected a path below the root of the repository');
  }
  const args = ['ls-tree', '-z', '--long', '--full-tree', sha, '--', path];
  const { exitCode, stdout } = await runGit(git, [`--git-dir=${mirror.directory}`, ...args]);
  if (exitCode !== 0)
    throw missing(`the repository has no commit ${sha}`, 'It may not have been pushed yet.');
  const line = stdout.toString('utf8').split('\0')[0] ?? '';
  if (line === '') return null;
  const [, mode, type, oid, size] = /^(\d{6}) (\w+) ([0-9a-f]+) +(\d+|-)\t/.exec(line) ?? [];
  if (type !== 'blob' || mode === '120000' || !oid) {
    throw new SlipwayError('invalid_input', `${path} is not a regular file in commit ${sha.slice(0, 12)}`);
  }
  if (Number(size) > maxBytes) {
    throw new SlipwayError('payload_too_large', `${path} has ${size} bytes; at most ${maxBytes} are read`);
  }
  const blob = await runGit(git, [`--git-dir=${mirror.directory}`, 'cat-file', 'blob', oid], { maxBytes });
  if (blob.exitCode !== 0) throw new SlipwayError('internal', `git could not read ${path}: ${blob.stderr}`);
  return blob.stdout;
}

export function requireSha(sha: string): void {
  if (!isCommitSha(sha)) throw new SlipwayError('invalid_input', 'expected a full commit hash');
}
