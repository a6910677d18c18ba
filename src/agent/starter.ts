import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { type CommandSources, planCommand } from './command.ts';
import type { Image, ImageStore } from './images.ts';
import { launch } from './launch.ts';
import type { InstanceLogs } from './logs.ts';
import { choosePort } from './ports.ts';
import { RUN_VARIABLE } from './processes.ts';
import type { InstanceRecord, Run } from './record.ts';
import { mountSandbox, noSandbox, type Sandbox } from './sandbox.ts';

export interface Started {
  run: Run;
  /** Resolves with how the process ended, in words. */
  child: Promise<string>;
}

type Change = (next: (record: InstanceRecord) => InstanceRecord) => Promise<void>;

/**
 * Starts the process of an instance. The protocol that leaves nothing running unknown, whenever the agent dies:
 * 1. the port is chosen and saved; 2. the launcher is spawned, it waits and runs nothing of the image; 3. its pid, start
 * time and boot are saved; 4. the gate is opened. Before 3 the launcher ends by itself when the agent dies, after 3 the
 * next agent finds it. null: the record was changed meanwhile so that nothing shall run, and the launcher was sent home.
 */
export type Starter = (record: InstanceRecord, image: Image, change: Change) => Promise<Started | null>;

export interface StarterOptions {
  clock: Clock;
  bootId: string;
  /** Distinguishes the instances of this agent from those of others on the machine. */
  agentId: string;
  dataDirectory: string;
  hostDirectory: string;
  logs: InstanceLogs;
  sandboxed: boolean;
  /** Ports of all other instances. */
  portsTaken(id: string): ReadonlySet<number>;
}

export const AGENT_VARIABLE = 'SLIPWAY_AGENT_ID';

/** The image at the moment of use; refused when it is another tree than at the first start. */
export async function verifiedImage(record: InstanceRecord, images: ImageStore): Promise<Image> {
  const image = await images.verify(record.spec.digest);
  if (record.treeDigest === null || record.treeDigest === image.treeDigest) return image;
  throw new SlipwayError(
    'tampered',
    `The unpacked image ${record.spec.digest} is not the one this instance was first started from`,
  );
}

export function createStarter(options: StarterOptions): Starter {
  const { clock, bootId, agentId, hostDirectory, logs } = options;
  const runtimeDirectory = dirname(process.execPath);
  return async (record, image, change) => {
    const { id, env, resources } = record.spec;
    const port = await choosePort(record.port, options.portsTaken(id), clock);
    const command = planCommand(image.run, env, sources(image.rootfs, runtimeDirectory));
    Object.assign(command.env, { PORT: String(port), HOST: '127.0.0.1' });
    const marker = Buffer.from(clock.random(16)).toString('hex');
    const markers = { SLIPWAY_INSTANCE: id, [RUN_VARIABLE]: marker, [AGENT_VARIABLE]: agentId };
    const scratch = join(hostDirectory, 'scratch', id);
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const startedAtMs = clock.nowMs();
    await change((now) => {
      if (now.ending !== null) return now;
      return {
        ...now,
        port,
        state: 'starting',
        readyAtMs: null,
        nextStartAtMs: null,
        firstStartedAtMs: now.firstStartedAtMs ?? startedAtMs,
        treeDigest: image.treeDigest,
      };
    });
    const sandbox = sandboxFor(options, image.rootfs, scratch, runtimeDirectory);
    const gated = await launch({
      command,
      markers,
      logPath: logs.pathOf(id),
      openFiles: resources.openFiles,
      sandbox,
      scratch,
    });
    const child = endOf(gated.child);
    const run: Run = { pid: gated.pid, startTicks: gated.startTicks, bootId, marker, startedAtMs };
    let wanted = false;
    try {
      await change((now) => {
        wanted = now.ending === null;
        return wanted ? { ...now, run } : now;
      });
    } finally {
      if (!wanted) gated.abandon();
    }
    if (!wanted) {
      await child;
      return null;
    }
    gated.go();
    return { run, child };
  };
}

function sandboxFor(
  options: StarterOptions,
  rootfs: string,
  scratch: string,
  runtimeDirectory: string,
): Sandbox {
  // A runtime inside the data directory would be covered with it.
  const covered = `${runtimeDirectory}/`.startsWith(`${options.dataDirectory}/`);
  return options.sandboxed && !covered
    ? mountSandbox({ data: options.dataDirectory, rootfs, scratch })
    : noSandbox;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      if (signal === 'SIGKILL')
        resolve('killed by SIGKILL, not by this agent: somebody, or the kernel when memory ran out');
      else resolve(signal === null ? `exited with code ${code}` : `killed by ${signal}`);
    });
  });
}

function sources(rootfs: string, runtimeDirectory: string): CommandSources {
  return {
    rootfs,
    runtimeDirectory,
    kindOf(path) {
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory()) return 'directory';
      if (!stats?.isFile()) return null;
      return (stats.mode & 0o111) === 0 ? 'file' : 'program';
    },
  };
}
