import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as /proc shows it. `name` is cut to 15 bytes by the kernel. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  name: string;
}

/** Every process this one can see; empty where there is no /proc. */
export function listProcesses(): ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const pid of pids()) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name is in parentheses and may itself hold any character; the last parenthesis ends it.
      const end = stat.lastIndexOf(')');
      const parent = Number(stat.slice(end + 2).split(' ')[1]);
      found.push({ pid, parent, name: stat.slice(stat.indexOf('(') + 1, end) });
    } catch {
      // it ended while we looked
    }
  }
  return found;
}

/** The processes below `root`, parents before children; `root` itself is not among them. */
export function descendantsOf(
  root: number,
  processes: readonly ProcessEntry[] = listProcesses(),
): ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of processes) {
    const siblings = children.get(entry.parent);
    if (siblings) siblings.push(entry);
    else children.set(entry.parent, [entry]);
  }
  const found: ProcessEntry[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/** Processes whose working directory lies below `directory`: what a command left behind after leaving its group. */
export function processesIn(directory: string): number[] {
  return pids().filter((pid) => {
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      return pid !== process.pid && (cwd === directory || cwd.startsWith(`${directory}/`));
    } catch {
      return false;
    }
  });
}

/** Sends a signal; false when there is no such process (any more). A negative pid is a process group. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
