import type { Limits } from './limits.ts';
import type { Toolchain } from './toolchain.ts';

/** A directory or file of this machine that the command sees at `inside`. `variable` is set to where it stands there. */
export interface SandboxMount {
  host: string;
  inside: string;
  writable: boolean;
  variable?: string;
}

export interface SandboxCommand {
  /** Run as `sh -euc`. */
  command: string;
  /** Declared variables; the sandbox adds PATH, HOME, TMPDIR. */
  env: Readonly<Record<string, string>>;
  /** The working directory, writable. */
  source: { host: string; inside: string };
  /** A private directory of this command on the host: its home and temporary files. */
  scratch: string;
  homeInside: string;
  mounts: readonly SandboxMount[];
  network: boolean;
  hostname: string;
  /** Octal, `022`. */
  umask: string;
  /** CPU numbers it may use; null: all. */
  cpus: readonly number[] | null;
  limits: Limits;
}

/** What a kind turns a command into: one process to start. */
export interface Launch {
  file: string;
  args: readonly string[];
  descriptor3?: Buffer;
  launchers: readonly string[];
}

export interface SandboxOptions {
  toolchain: Toolchain;
  /** Directories of the host no command may look into, in every kind that can hide them. */
  hidden: readonly string[];
}

/**
 * The innermost command line of every kind: a cleared environment, the umask, and standard error joined to standard output
 * so that lines keep their order.
 */
export function stepArgv(command: SandboxCommand, env: Readonly<Record<string, string>>): string[] {
  const variables = Object.entries({ ...env, ...command.env }).map(([name, value]) => `${name}=${value}`);
  const script = `umask ${command.umask}; exec /bin/sh -euc "$1" 2>&1`;
  return ['/usr/bin/env', '-i', ...variables, '/bin/sh', '-c', script, 'sh', command.command];
}
