import type { PolicyConfig } from '../../kernel/config.ts';
import type { Diagnostic } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Git } from '../../platform/git/git.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';

/** What the source stage is given. */
export interface SourceDeps {
  database: Database;
  clock: Clock;
  log: Logger;
  git: Git;
  /** Makes the release of a commit, or finds the one it has; gives its id. The commit's row is there. */
  createRelease(
    tx: Transaction,
    release: { service: string; sha: string; actor: string; atMs: number },
  ): Promise<string>;
  /** Asks for a pass of the reconciler; harmless when asked twice. */
  wake(reconciler: 'source', service: string): Promise<unknown>;
  /** Encrypts a small secret for a column; `context` names the row, so that it opens nowhere else. */
  seal(text: string, context: string): string | Promise<string>;
  unseal(sealed: string, context: string): string | Promise<string>;
  /** Compiles the policies and runs their tests; what is wrong comes back. */
  testPolicies(policies: readonly PolicyConfig[]): readonly Diagnostic[] | Promise<readonly Diagnostic[]>;
}

/** The actor of what happens because a commit was seen. */
export const SOURCE_ACTOR = 'system:source';

/** Where a repository describes its service. */
export const CONFIG_FILE = 'slipway.yaml';
