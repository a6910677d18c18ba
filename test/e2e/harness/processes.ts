import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** One process of this machine, as /proc shows it. */
export interface Seen {
  pid: number;
  command: string[];
}

export type ChildName = 'server' | 'worker' | 'router' | 'agent';

function pids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^[1-9]\d*$/.test(name) ? [Number(name)] : []));
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function link(pid: number, file: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${file}`);
  } catch {
    return '';
  }
}

export function isAlive(pid: number): boolean {
  const stat = read(pid, 'stat');
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

/** Living processes that name the data directory: in their command line, their environment, or as where they are. */
export function processesOf(root: string): Seen[] {
  return pids().flatMap((pid) => {
    if (pid === process.pid || !isAlive(pid)) return [];
    const command = read(pid, 'cmdline');
    const named = [command, read(pid, 'environ'), link(pid, 'cwd'), link(pid, 'exe')].some((text) =>
      text.includes(root),
    );
    return named ? [{ pid, command: command.split('\0').filter((word) => word !== '') }] : [];
  });
}

/** The process of the installation with that name; null while there is none. */
export function childPid(root: string, name: ChildName): number | null {
  const found = pids().find((pid) => {
    const command = read(pid, 'cmdline').split('\0');
    const at = command.indexOf('--data');
    return at > 0 && command[at + 1] === root && command.includes(name) && isAlive(pid);
  });
  return found ?? null;
}

export function postmasterPid(root: string): number | null {
  try {
    const pid = Number(readFileSync(join(root, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
    return pid > 1 && isAlive(pid) ? pid : null;
  } catch {
    return null;
  }
}

/** Session leaders started for each instance id: the one process a person would call the instance. */
export function instanceLeaders(root: string): Map<string, number[]> {
  const leaders = new Map<string, number[]>();
  for (const { pid } of processesOf(root)) {
    const stat = read(pid, 'stat');
    const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
    const id = read(pid, 'environ')
      .split('\0')
      .find((entry) => entry.startsWith('SLIPWAY_INSTANCE='))
      ?.slice('SLIPWAY_INSTANCE='.length);
    if (id !== undefined && session === pid) leaders.set(id, [...(leaders.get(id) ?? []), pid]);
  }
  return leaders;
}
