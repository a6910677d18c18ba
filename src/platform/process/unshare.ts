import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Launch, type SandboxCommand, type SandboxOptions, stepArgv } from './command.ts';
import type { Toolchain } from './toolchain.ts';
import type { Tools } from './tools.ts';

/** An empty directory that nearly every system has: the sandbox's own things are mounted below it. */
const BASES = ['/mnt', '/media', '/srv'];

/**
 * The middle kind, from util-linux alone: own processes, mounts, host name and (unless asked for) no network; secrets' places
 * are covered by empty directories; the system's files are visible as they are.
 */
export async function unshareLaunch(
  command: SandboxCommand,
  options: SandboxOptions,
  tools: Tools,
  owner: { uid: number; gid: number } | null,
): Promise<Launch> {
  const base = BASES.find((path) => existsSync(path));
  const { unshare, setpriv } = tools;
  if (!base || !unshare || !setpriv)
    throw new SlipwayError('internal', 'unshare, setpriv or /mnt is missing');
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--ipc', '--uts'];
  if (!command.network) namespaces.push('--net');
  if (!owner) namespaces.push('--user', '--map-root-user');
  const drop = owner
    ? [setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--inh-caps=-all']
    : [unshare, '--user', '--map-user=1000', '--map-group=1000', '--', setpriv];
  if (owner) drop.push('--bounding-set=-all');
  const step = [...drop, '--no-new-privs', '--', ...stepArgv(command, environment(command, base))];
  const script = `${prologue(command, options, base)}\nexec "$@"`;
  return {
    file: unshare,
    args: [...namespaces, '--', '/bin/sh', '-euc', script, 'sh', ...step],
    launchers: ['unshare', 'setpriv', 'prlimit'],
  };
}

function prologue(command: SandboxCommand, { toolchain, hidden }: SandboxOptions, base: string): string {
  const { scratch, source, mounts, hostname } = command;
  const lines = [
    `hostname ${quote(hostname)} 2>/dev/null || :`,
    `mount -t tmpfs -o mode=0755,size=1m slipway ${base}`,
    ...bind(source.host, `${base}/source`, true),
    ...bind(join(scratch, 'home'), `${base}/home`, true),
    ...mounts.flatMap(({ host, writable }, index) => bind(host, `${base}/mount${index}`, writable)),
    ...tools(toolchain, base),
    ...bind(join(scratch, 'tmp'), '/tmp', true),
    // Covered last: what the command may see was bound above and stays visible through those mounts.
    ...[...hidden, '/root', '/home', '/run'].map(
      (path) => `[ ! -d ${quote(path)} ] || mount -t tmpfs -o mode=0555,size=4k slipway ${quote(path)}`,
    ),
    `cd ${base}/source`,
  ];
  return lines.join('\n');
}

function tools({ nodePath, npm }: Toolchain, base: string): string[] {
  const lines = [
    `mkdir ${base}/bin`,
    `touch ${base}/bin/node`,
    ...mount(nodePath, `${base}/bin/node`, false),
  ];
  if (!npm) return lines;
  return [
    ...lines,
    ...bind(npm.directory, `${base}/npm`, false),
    // A distribution's npm finds its modules by where it stands.
    ...['npm', 'npx'].map((name) => {
      const directory = npm.directory.startsWith('/usr/') ? npm.directory : `${base}/npm`;
      return `ln -s ${quote(`${directory}/bin/${name}-cli.js`)} ${base}/bin/${name}`;
    }),
  ];
}

function bind(host: string, inside: string, writable: boolean): string[] {
  return [
    `if [ -d ${quote(host)} ]; then mkdir -p ${inside}; else touch ${inside}; fi`,
    ...mount(host, inside, writable),
  ];
}

function mount(host: string, inside: string, writable: boolean): string[] {
  const lines = [`mount --bind ${quote(host)} ${inside}`];
  // May be refused where the file system has locked flags; the dropped user is the wall that remains.
  if (!writable) lines.push(`mount -o remount,bind,ro ${inside} 2>/dev/null || :`);
  return lines;
}

function environment({ mounts }: SandboxCommand, base: string): Record<string, string> {
  const env: Record<string, string> = {
    PATH: `${base}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    HOME: `${base}/home`,
    TMPDIR: '/tmp',
  };
  mounts.forEach(({ variable }, index) => {
    if (variable) env[variable] = `${base}/mount${index}`;
  });
  return env;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
