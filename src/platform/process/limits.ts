import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sendSignal } from './tree.ts';

/** What one sandboxed command may use, all its processes together unless stated. */
export interface Limits {
  memoryBytes: number;
  processes: number;
  /** Per process. */
  openFiles: number;
  /** Largest single file. */
  fileBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  memoryBytes: 4 * 1024 ** 3,
  processes: 2_048,
  openFiles: 16_384,
  fileBytes: 8 * 1024 ** 3,
};

/** A control group made for one command: its first process writes `0` into each of `enter`. */
export interface ControlGroup {
  enter: readonly string[];
  memory: boolean;
  remove(): void;
}

const PREFIX = 'slipway-build-';
let counter = 0;

/** Limits memory and the number of processes as a whole where this process may make control groups; else null. */
export function createControlGroup(limits: Limits): ControlGroup | null {
  const name = `${PREFIX}${process.pid}-${++counter}`;
  const made: string[] = [];
  let memory = false;
  for (const { directory, settings } of hierarchies(limits)) {
    try {
      const group = join(directory, name);
      sweepDead(directory);
      mkdirSync(group);
      made.push(group);
      for (const [file, value] of settings) writeFileSync(join(group, file), value);
      memory ||= settings.some(([file]) => file.startsWith('memory'));
    } catch {
      // not ours to manage here
    }
  }
  if (made.length === 0) return null;
  return {
    enter: made.map((group) => join(group, 'cgroup.procs')),
    memory,
    remove: () => made.forEach(removeGroup),
  };
}

function hierarchies(limits: Limits): { directory: string; settings: [string, string][] }[] {
  const root = '/sys/fs/cgroup';
  if (existsSync(join(root, 'cgroup.controllers'))) {
    return [
      {
        directory: root,
        settings: [
          ['memory.max', String(limits.memoryBytes)],
          ['pids.max', String(limits.processes)],
        ],
      },
    ];
  }
  return [
    { directory: join(root, 'pids', ownGroup('pids')), settings: [['pids.max', String(limits.processes)]] },
    {
      directory: join(root, 'memory', ownGroup('memory')),
      settings: [['memory.limit_in_bytes', String(limits.memoryBytes)]],
    },
  ];
}

/** This process's group in a version 1 hierarchy, so that limits above it keep holding. */
function ownGroup(controller: string): string {
  try {
    const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
    return lines.find((line) => line.split(':')[1]?.split(',').includes(controller))?.split(':')[2] ?? '/';
  } catch {
    return '/';
  }
}

/** Groups of a process that was killed before it could remove them. */
function sweepDead(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(PREFIX)) continue;
    const owner = Number(name.slice(PREFIX.length).split('-')[0]);
    if (owner !== process.pid && !existsSync(`/proc/${owner}`)) removeGroup(join(directory, name));
  }
}

function removeGroup(group: string): void {
  try {
    for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')) {
      if (pid !== '' && pid !== '0') sendSignal(Number(pid), 'SIGKILL');
    }
    rmdirSync(group);
  } catch {
    // still emptying: the next sweep takes it
  }
}
