import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BubblewrapVariant } from './bubblewrap.ts';
import type { SandboxCommand, SandboxOptions } from './command.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { makeSandbox, type Sandbox, type SandboxKind } from './sandbox.ts';
import { findTools } from './tools.ts';

const PROBE_TIMEOUT_MS = 10_000;
const STRONGEST_FIRST: readonly [SandboxKind, BubblewrapVariant][] = [
  ['bubblewrap', 'nested'],
  ['bubblewrap', 'plain'],
  ['unshare', 'plain'],
];

/**
 * The strongest sandbox that works on this machine, found by running a real command in each: that a program is installed says
 * nothing about whether the kernel lets it act. `allowed` narrows the choice. Ask once per process.
 */
export async function detectSandbox(
  options: SandboxOptions,
  allowed: readonly SandboxKind[] = ['bubblewrap', 'unshare', 'scrubbed'],
): Promise<Sandbox> {
  const tools = findTools();
  for (const [kind, variant] of STRONGEST_FIRST) {
    if (!allowed.includes(kind)) continue;
    const sandbox = makeSandbox(kind, options, tools, variant);
    if (await works(sandbox)) return sandbox;
  }
  return makeSandbox('scrubbed', options, tools);
}

async function works(sandbox: Sandbox): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-probe-'));
  try {
    const command = await probeCommand(directory, sandbox.owner);
    let output = '';
    const result = await sandbox.run(command, {
      timeoutMs: PROBE_TIMEOUT_MS,
      onOutput: (chunk) => {
        output += chunk.toString();
      },
    });
    return result.exitCode === 0 && output.includes('works');
  } catch {
    return false;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function probeCommand(directory: string, owner: Sandbox['owner']): Promise<SandboxCommand> {
  const source = join(directory, 'source');
  const scratch = join(directory, 'scratch');
  for (const path of [source, scratch, join(scratch, 'home'), join(scratch, 'tmp')]) {
    await mkdir(path);
    if (owner) await chown(path, owner.uid, owner.gid);
  }
  await chmod(directory, 0o755);
  return {
    // It works when the command can write and is not root (a build user that is root can leave), and node runs.
    command: 'touch file; [ "$(id -u)" != 0 ]; node --version > "$HOME/version"; echo works',
    env: {},
    source: { host: source, inside: '/build/source' },
    scratch,
    homeInside: '/home/build',
    mounts: [],
    network: false,
    hostname: 'probe',
    umask: '022',
    cpus: null,
    limits: DEFAULT_LIMITS,
  };
}
