import type { ServiceConfig } from '../../kernel/config.ts';
import type { EntryKind } from '../../kernel/event.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { RegistryClient } from '../../platform/oci/types.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import type { Limits } from '../../platform/process/limits.ts';
import type { Sandbox } from '../../platform/process/sandbox.ts';
import type { Toolchain } from '../../platform/process/toolchain.ts';

/** A ledger entry of this stage. */
export interface BuildEntry {
  kind: Extract<EntryKind, 'build.started' | 'build.finished'>;
  atMs: number;
  actor: string;
  service: string;
  subject: string;
  data: Readonly<Record<string, unknown>>;
}

/** Everything a build needs from outside of this stage. */
export interface BuildDeps {
  database: Database;
  clock: Clock;
  log: Logger;
  /** Absolute; `cache/`, `work/` and `keys/` below it are used. */
  dataDirectory: string;
  registry: RegistryClient;
  sandbox: Sandbox;
  toolchain: Toolchain;
  /** Writes the commit's files into an empty directory. */
  exportTree(service: string, sha: string, directory: string): Promise<unknown>;
  /** Reads `slipway.yaml` of an exported tree; used when no release holds the configuration. */
  loadConfig(service: string, sha: string, directory: string): Promise<ServiceConfig>;
  /**
   * Committer time, in seconds, of the last commit up to `sha` that touched any of these paths; null: none (`lastChanged` of
   * last-changed.ts over the mirror). With it steps and layers with narrow inputs keep the time of those inputs, so they are the same for every later commit.
   */
  lastChanged?(service: string, sha: string, paths: readonly string[]): Promise<number | null>;
  append(tx: Transaction, entry: BuildEntry): Promise<unknown>;
  /** Values that logs and messages must never show. */
  secrets(): readonly string[];
  /** Environment of the operator, of which network steps get proxy and package-manager settings. */
  operatorEnv: Readonly<Record<string, string | undefined>>;
  /** Repository of a service in the registry; by default the service's name. */
  repositoryOf?(service: string): string;
  /** Steps at once; by default the number of cores. */
  parallel?: number;
  limits?: Limits;
}
