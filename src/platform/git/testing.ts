import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A real repository in a folder of its own, for tests. */
export interface TestRepository {
  directory: string;
  url: string;
  /** Runs git there; throws with its output when it fails. */
  git(...args: string[]): string;
  /** Writes the files (null removes one), commits everything, gives the hash. */
  commit(files: Record<string, string | Uint8Array | null>, message?: string): string;
  remove(): void;
}

const AUTHOR = {
  GIT_AUTHOR_NAME: 'Ada Lovelace',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Grace Hopper',
  GIT_COMMITTER_EMAIL: 'grace@example.org',
};

export function testRepository(branch = 'main'): TestRepository {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-repository-'));
  let seconds = 1_700_000_000;
  const git = (...args: string[]): string => {
    const date = `${seconds} +0100`;
    const result = spawnSync('git', ['-c', 'core.hooksPath=/dev/null', ...args], {
      cwd: directory,
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH,
        HOME: directory,
        GIT_CONFIG_NOSYSTEM: '1',
        ...AUTHOR,
        GIT_AUTHOR_DATE: date,
        GIT_COMMITTER_DATE: date,
      },
    });
    if (result.status !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}${result.error ?? ''}`);
    return result.stdout.trim();
  };
  git('init', '--quiet', '--initial-branch', branch);
  return {
    directory,
    url: `file://${directory}`,
    git,
    commit(files, message = 'A change') {
      seconds += 60;
      for (const [path, content] of Object.entries(files)) {
        const target = join(directory, path);
        if (content === null) {
          rmSync(target);
          continue;
        }
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, content);
      }
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '-m', message);
      return git('rev-parse', 'HEAD');
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
