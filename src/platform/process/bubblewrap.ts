import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import {
  type Launch,
  type SandboxCommand,
  type SandboxMount,
  type SandboxOptions,
  stepArgv,
} from './command.ts';
import type { Toolchain } from './toolchain.ts';
import type { Tools } from './tools.ts';

/**
 * Ways to be no-one inside. `nested`: nested user namespaces are forbidden (and, for root, an inner bubblewrap maps the
 * build user to uid 1000). `plain`: for older versions, and machines that forbid user namespaces to ordinary users.
 */
export type BubblewrapVariant = 'nested' | 'plain';

const INSIDE_ID = '1000';
const TOOLS = '/opt/slipway';
const SYSTEM = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Configuration that programs need and that holds no secret; keys below /etc/ssl/private stay out. */
const ETC = [
  'ssl/certs',
  'ssl/openssl.cnf',
  'pki/tls/certs',
  'pki/ca-trust',
  'ca-certificates',
  'alternatives',
].concat(['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'os-release']);

export async function bubblewrapLaunch(
  command: SandboxCommand,
  options: SandboxOptions,
  tools: Tools,
  owner: { uid: number; gid: number } | null,
  variant: BubblewrapVariant,
): Promise<Launch> {
  const { bwrap, setpriv } = tools;
  if (!bwrap || (owner && !setpriv)) throw new SlipwayError('internal', 'bubblewrap or setpriv is missing');
  const outer = [
    ...namespaces(command),
    ...(owner ? [] : identity(variant)),
    ...system(),
    ...(await configuration(command, variant)),
    ...toolchain(options.toolchain),
    ...places(command),
    '--remount-ro',
    '/',
    '--chdir',
    command.source.inside,
  ];
  const step = stepArgv(command, environment(command));
  const inner = owner ? dropTo(owner, bwrap, setpriv ?? '', variant, command.source.inside, step) : step;
  return {
    file: bwrap,
    args: ['--args', '3', ...inner],
    // Not on the command line, which the command itself could read: it names directories of the host.
    descriptor3: Buffer.from(outer.map((argument) => `${argument}\0`).join('')),
    launchers: ['bwrap', 'setpriv', 'prlimit'],
  };
}

function namespaces(command: SandboxCommand): string[] {
  const flags = [
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--die-with-parent',
  ];
  if (!command.network) flags.push('--unshare-net');
  return [...flags, '--hostname', command.hostname];
}

function identity(variant: BubblewrapVariant): string[] {
  const flags = ['--unshare-user', '--uid', INSIDE_ID, '--gid', INSIDE_ID, '--cap-drop', 'ALL'];
  return variant === 'nested' ? [...flags, '--disable-userns'] : flags;
}

/** From root to the build user, without a way back. No variable of the step is set yet while root still acts. */
function dropTo(
  owner: { uid: number; gid: number },
  bwrap: string,
  setpriv: string,
  variant: BubblewrapVariant,
  directory: string,
  step: readonly string[],
): string[] {
  const drop = [setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--no-new-privs'];
  drop.push('--inh-caps=-all');
  if (variant === 'plain') return [...drop, '--bounding-set=-all', ...step];
  const inner = [
    bwrap,
    ...identity(variant),
    '--die-with-parent',
    '--dev-bind',
    '/',
    '/',
    '--chdir',
    directory,
  ];
  return [...drop, ...inner, '--', ...step];
}

function system(): string[] {
  const args = ['--ro-bind', '/usr', '/usr'];
  for (const path of SYSTEM) {
    try {
      if (lstatSync(path).isSymbolicLink()) args.push('--symlink', readlinkSync(path), path);
      else args.push('--ro-bind', path, path);
    } catch {
      // this machine has no such directory
    }
  }
  args.push('--proc', '/proc', '--dev', '/dev', '--perms', '1777', '--tmpfs', '/dev/shm');
  return args;
}

async function configuration(command: SandboxCommand, variant: BubblewrapVariant): Promise<string[]> {
  const id = variant === 'nested' || process.getuid?.() !== 0 ? INSIDE_ID : '61000';
  const files: Record<string, string> = {
    passwd: `root:x:0:0:root:/nonexistent:/bin/false\nbuild:x:${id}:${id}:build:${command.homeInside}:/bin/sh\n`,
    group: `root:x:0:\nbuild:x:${id}:\n`,
    hosts: `127.0.0.1 localhost ${command.hostname}\n::1 localhost\n`,
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  };
  if (command.network) files['resolv.conf'] = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const present = ETC.map((name) => `/etc/${name}`).filter((path) => existsSync(path));
  const args = present.flatMap((path) => [...parentsOf(path), '--ro-bind', path, path]);
  for (const [name, text] of Object.entries(files)) {
    const path = join(command.scratch, 'etc', name);
    await writeFile(path, text, { mode: 0o644 });
    args.push(...parentsOf(`/etc/${name}`), '--ro-bind', path, `/etc/${name}`);
  }
  return args;
}

/** node and npm at a fixed place, so that where this machine keeps them cannot enter a build. */
function toolchain({ nodePath, includeDirectory, npm }: Toolchain): string[] {
  const args = parentsOf(`${TOOLS}/bin/node`);
  args.push('--ro-bind', nodePath, `${TOOLS}/bin/node`);
  if (includeDirectory)
    args.push(...parentsOf(`${TOOLS}/include/node`), '--ro-bind', includeDirectory, `${TOOLS}/include/node`);
  if (!npm) return args;
  // A distribution's npm finds its modules by where it stands: leave it there.
  const inSystem = npm.directory.startsWith('/usr/');
  const directory = inSystem ? npm.directory : `${TOOLS}/lib/node_modules/npm`;
  if (!inSystem) args.push(...parentsOf(directory), '--ro-bind', npm.directory, directory);
  args.push('--symlink', `${directory}/bin/npm-cli.js`, `${TOOLS}/bin/npm`);
  return [...args, '--symlink', `${directory}/bin/npx-cli.js`, `${TOOLS}/bin/npx`];
}

function places({ source, scratch, homeInside, mounts }: SandboxCommand): string[] {
  const own: SandboxMount[] = [
    { host: join(scratch, 'tmp'), inside: '/tmp', writable: true },
    { host: join(scratch, 'home'), inside: homeInside, writable: true },
    { host: source.host, inside: source.inside, writable: true },
  ];
  return [...own, ...mounts].flatMap(({ host, inside, writable }) => [
    ...parentsOf(inside),
    writable ? '--bind' : '--ro-bind',
    host,
    inside,
  ]);
}

/** bubblewrap makes missing parents for its own user only; these are for everyone. What exists is left as it is. */
function parentsOf(path: string): string[] {
  const args: string[] = [];
  for (let parent = dirname(path); parent !== '/'; parent = dirname(parent))
    args.unshift('--perms', '0755', '--dir', parent);
  return args;
}

function environment(command: SandboxCommand): Record<string, string> {
  const env: Record<string, string> = {
    PATH: `${TOOLS}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    HOME: command.homeInside,
    TMPDIR: '/tmp',
  };
  for (const { variable, inside } of command.mounts) if (variable) env[variable] = inside;
  return env;
}
