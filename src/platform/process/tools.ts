import { accessSync, constants } from 'node:fs';

const DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** Absolute paths of the programs a sandbox may be made of; null where this machine lacks one. */
export interface Tools {
  bwrap: string | null;
  unshare: string | null;
  setpriv: string | null;
  prlimit: string | null;
  taskset: string | null;
}

/** Looks in the system's own directories only: PATH may name directories that others can write. */
export function findTools(): Tools {
  return {
    bwrap: find('bwrap'),
    unshare: find('unshare'),
    setpriv: find('setpriv'),
    prlimit: find('prlimit'),
    taskset: find('taskset'),
  };
}

function find(name: string): string | null {
  for (const directory of DIRECTORIES) {
    try {
      accessSync(`${directory}/${name}`, constants.X_OK);
      return `${directory}/${name}`;
    } catch {
      // not here
    }
  }
  return null;
}
