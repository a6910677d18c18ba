import { type Git, runGit } from '../../platform/git/git.ts';
import type { Mirror } from '../../platform/git/mirror.ts';
import { requireSha } from '../../platform/git/objects.ts';

/**
 * Committer time, in seconds, of the newest commit in the history of `sha` that touched one of the paths (files or
 * directories, taken literally); null when none did. A function of the commit alone. For `BuildDeps.lastChanged`.
 */
export async function lastChanged(
  git: Git,
  mirror: Mirror,
  sha: string,
  paths: readonly string[],
): Promise<number | null> {
  requireSha(sha);
  const args = [`--git-dir=${mirror.directory}`, 'log', '-1', '--format=%ct', sha, '--', ...paths];
  const { exitCode, stdout } = await runGit(git, args, { maxBytes: 1_024 });
  const text = stdout.toString('latin1').trim();
  return exitCode === 0 && /^\d{1,12}$/.test(text) ? Number(text) : null;
}
