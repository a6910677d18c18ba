import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BubblewrapVariant, bubblewrapLaunch } from './bubblewrap.ts';
import type { Launch, SandboxCommand, SandboxOptions } from './command.ts';
import { createControlGroup } from './limits.ts';
import { type CommandResult, runCommand } from './run.ts';
import { scrubbedLaunch } from './scrubbed.ts';
import { findTools, type Tools } from './tools.ts';
import { unshareLaunch } from './unshare.ts';

/** How strongly a command is shut in, strongest first; builds record it and say it in words. */
export type SandboxKind = 'bubblewrap' | 'unshare' | 'scrubbed';

export const SANDBOX_WORDS: Readonly<Record<SandboxKind, string>> = {
  bubblewrap: 'own file system, processes, user and network',
  unshare: 'own processes and network; data directory and home hidden',
  scrubbed: 'clean environment only: no wall between the step and this machine',
};

export interface SandboxRun {
  timeoutMs: number;
  graceMs?: number;
  signal?: AbortSignal | undefined;
  onOutput?(chunk: Buffer): void | Promise<void>;
}

export interface Sandbox {
  kind: SandboxKind;
  /** Files the command must be able to change belong to this user; null: to the user of this process. */
  owner: { uid: number; gid: number } | null;
  run(command: SandboxCommand, options: SandboxRun): Promise<CommandResult>;
}

/**
 * Who runs the command when this process is root. Never root itself: user 0 of the host may write /proc/sys
 * (core_pattern, for one) even from a user namespace without capabilities, which is a way out.
 */
const BUILD_USER = { uid: 61_000, gid: 61_000 };

export function makeSandbox(
  kind: SandboxKind,
  options: SandboxOptions,
  tools: Tools = findTools(),
  variant: BubblewrapVariant = 'nested',
): Sandbox {
  const root = process.getuid?.() === 0;
  const owner = root && kind !== 'scrubbed' ? BUILD_USER : null;
  const launch = (command: SandboxCommand): Promise<Launch> => {
    if (kind === 'bubblewrap') return bubblewrapLaunch(command, options, tools, owner, variant);
    if (kind === 'unshare') return unshareLaunch(command, options, tools, owner);
    return scrubbedLaunch(command, options);
  };
  return { kind, owner, run: (command, run) => runIn(launch, tools, command, run) };
}

async function runIn(
  launch: (command: SandboxCommand) => Promise<Launch>,
  tools: Tools,
  command: SandboxCommand,
  run: SandboxRun,
): Promise<CommandResult> {
  for (const name of ['home', 'tmp', 'etc', 'bin'])
    await mkdir(join(command.scratch, name), { recursive: true });
  const launched = await launch(command);
  const group = createControlGroup(command.limits);
  const argv = wrap(launched, command, tools, group?.enter ?? [], group?.memory ?? false);
  const file = argv.shift() ?? launched.file;
  try {
    return await runCommand({
      ...run,
      file,
      args: argv,
      // Wrappers run outside the walls: none of the step's variables (LD_PRELOAD!) may reach them.
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: command.source.host,
      launchers: launched.launchers,
      ownedDirectory: command.source.host,
      ...(launched.descriptor3 ? { descriptor3: launched.descriptor3 } : {}),
    });
  } finally {
    group?.remove();
  }
}

/** Resource limits and CPU choice around the launch, by whatever of util-linux this machine has. */
function wrap(
  launched: Launch,
  command: SandboxCommand,
  tools: Tools,
  enter: readonly string[],
  memoryLimited: boolean,
): string[] {
  const { limits, cpus } = command;
  const argv: string[] = [];
  if (enter.length > 0) {
    argv.push(
      '/bin/sh',
      '-c',
      `n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || :; shift; n=$((n-1)); done; exec "$@"`,
    );
    argv.push('sh', String(enter.length), ...enter);
  }
  if (cpus && tools.taskset) argv.push(tools.taskset, '-c', cpus.join(','));
  if (tools.prlimit) {
    argv.push(tools.prlimit, `--nofile=${limits.openFiles}`, `--nproc=${limits.processes}`, '--core=0');
    argv.push(`--fsize=${limits.fileBytes}`);
    if (!memoryLimited) argv.push(`--data=${limits.memoryBytes}`);
  }
  if (tools.setpriv) argv.push(tools.setpriv, '--pdeathsig', 'KILL');
  argv.push(launched.file, ...launched.args);
  return argv;
}
