import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Launch, type SandboxCommand, type SandboxOptions, stepArgv } from './command.ts';

/** The weakest kind: the command runs on this machine's file system, with a clean environment and limits only. */
export async function scrubbedLaunch(command: SandboxCommand, options: SandboxOptions): Promise<Launch> {
  const [file = '/usr/bin/env', ...args] = stepArgv(command, await hostEnvironment(command, options));
  return { file, args, launchers: [] };
}

/** PATH, HOME and TMPDIR on the host's own paths; node and npm by links in the command's private directory. */
async function hostEnvironment(
  { scratch, mounts }: SandboxCommand,
  { toolchain }: SandboxOptions,
): Promise<Record<string, string>> {
  const bin = join(scratch, 'bin');
  await link(toolchain.nodePath, join(bin, 'node'));
  if (toolchain.npm) {
    await link(join(toolchain.npm.directory, 'bin/npm-cli.js'), join(bin, 'npm'));
    await link(join(toolchain.npm.directory, 'bin/npx-cli.js'), join(bin, 'npx'));
  }
  const env: Record<string, string> = {
    PATH: `${bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    HOME: join(scratch, 'home'),
    TMPDIR: join(scratch, 'tmp'),
  };
  for (const { variable, host } of mounts) if (variable) env[variable] = host;
  return env;
}

async function link(target: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(target, path);
}
