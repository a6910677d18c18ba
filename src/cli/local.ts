import type { ServiceConfig } from '../kernel/config.ts';
import type { Diagnostic } from '../kernel/errors.ts';

/** An installation that was started here and runs until it is told to stop. */
export interface Started {
  url: string;
  stop(): Promise<void>;
}

/** A first `slipway.yaml`: where it goes, its text, and what was found in the project. */
export interface FirstConfig {
  path: string;
  text: string;
  findings: readonly string[];
}

/**
 * What the CLI does on this machine and not through the API. It is handed these and imports nothing of the product
 * itself, so that it stays a client like any other.
 */
export interface Local {
  up(options: {
    data: string | undefined;
    host: string;
    port: number;
    progress(message: string): void;
    signal?: AbortSignal;
  }): Promise<Started>;
  /** Address and token of the installation in a data directory. Throws `unreachable` when none ever ran there. */
  connection(data: string | undefined): Promise<{ url: string; token: string | null }>;
  /** Absolute path of the data directory that would be used. */
  dataDirectory(data: string | undefined): string;
  /** Writes a first slipway.yaml, or with `dryRun` only says what it would hold. Never overwrites. */
  init(directory: string, options: { dryRun: boolean }): Promise<FirstConfig>;
  /** Reads a slipway.yaml without any server. */
  readServiceConfig(
    file: string,
    content: Uint8Array,
  ): Promise<{ config: ServiceConfig | null; diagnostics: readonly Diagnostic[] }>;
  version(): Promise<string>;
}
