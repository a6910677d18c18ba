import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { ProcessIdentity, Run } from './record.ts';

/** What /proc says of one process. Linux only, as the whole agent is. */
export interface ProcessStat {
  pid: number;
  state: string;
  group: number;
  session: number;
  startTicks: number;
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export function readStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The name is in parentheses and may hold anything, parentheses and spaces included.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[0]!,
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/** A zombie is dead: it only waits for a parent that may never ask. */
function isLiving(stat: ProcessStat | null): stat is ProcessStat {
  return stat !== null && stat.state !== 'Z' && stat.state !== 'X';
}

/** The very process that was recorded lives. */
export function isAlive(identity: ProcessIdentity, currentBoot: string): boolean {
  if (identity.bootId !== currentBoot) return false;
  const stat = readStat(identity.pid);
  return isLiving(stat) && stat.startTicks === identity.startTicks;
}

export function allPids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^[1-9][0-9]*$/.test(name) ? [Number(name)] : []));
}

/** One variable of the environment a process was started with; null when it has none or may not be read. */
export function environmentOf(pid: number, name: string): string | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return null;
  }
  const found = text.split('\0').find((entry) => entry.startsWith(`${name}=`));
  return found === undefined ? null : found.slice(name.length + 1);
}

export const RUN_VARIABLE = 'SLIPWAY_INSTANCE_RUN';

/**
 * Living processes of a run: its session (which keeps its number from being given away), and processes that left the
 * session but carry the run's marker. A process in a session of that number counts only while the recorded leader lives or
 * when it carries the marker: the number may belong to strangers by now.
 */
export function membersOf(run: Run, currentBoot: string): number[] {
  if (run.bootId !== currentBoot) return [];
  const leaderAlive = isAlive(run, currentBoot);
  return allPids().filter((pid) => {
    const stat = readStat(pid);
    if (!isLiving(stat) || stat.startTicks < run.startTicks) return false;
    if (leaderAlive && stat.session === run.pid) return true;
    return environmentOf(pid, RUN_VARIABLE) === run.marker;
  });
}

/** Living processes by their session. */
export function sessions(): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const pid of allPids()) {
    const stat = readStat(pid);
    if (isLiving(stat)) found.set(stat.session, [...(found.get(stat.session) ?? []), pid]);
  }
  return found;
}

/** Sends `signal` to each process that still is a member; a process that is gone is no error. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ESRCH') throw error;
    }
  }
}

/** Bytes of memory that belong to these processes alone: anonymous and shared-memory pages, no mapped files. */
export function memoryOf(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/status`, 'latin1');
    } catch {
      continue;
    }
    for (const [, kibibytes] of text.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm))
      total += Number(kibibytes) * 1024;
  }
  return total;
}

/**
 * Whether one of `pids` holds the socket that listens at 127.0.0.1:`port` (or at every address). null when that cannot be
 * seen, for instance because the process runs as somebody else.
 */
export function listensAt(pids: readonly number[], port: number): boolean | null {
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readFileSync(table, 'latin1');
    } catch {
      continue;
    }
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const listening = fields[3] === '0A';
      if (listening && Number.parseInt(fields[1]!.slice(fields[1]!.lastIndexOf(':') + 1), 16) === port)
        inodes.add(fields[9]!);
    }
  }
  if (inodes.size === 0) return null;
  let hidden = false;
  for (const pid of pids) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const target = readLink(`/proc/${pid}/fd/${fd}`);
        if (target.startsWith('socket:[') && inodes.has(target.slice(8, -1))) return true;
      }
    } catch {
      hidden = true;
    }
  }
  return hidden ? null : false;
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
