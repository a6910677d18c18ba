import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What keeps an instance away from the control plane's files. */
export interface Sandbox {
  kind: 'mount-namespace' | 'none';
  wrap(argv: readonly string[]): string[];
}

export const noSandbox: Sandbox = { kind: 'none', wrap: (argv) => [...argv] };

/**
 * Runs in a mount namespace of its own. An empty file system covers the data directory (keys, tokens, other instances),
 * in it are only the image, read-only, and the scratch directory. Arguments: data, rootfs, scratch, then the next stage.
 * The pid stays the same: nothing here forks the final program.
 */
const MOUNTS = `
set -e
exec 4<"$2" 5<"$3"
mount -t tmpfs -o mode=0755,size=1m slipway "$1"
mkdir -p "$2" "$3"
mount -c --bind /proc/self/fd/4 "$2"
mount -c -o remount,bind,ro,nosuid,nodev "$2"
mount -c --bind /proc/self/fd/5 "$3"
mount -c -o remount,ro "$1"
exec 4<&- 5<&-
shift 3
exec "$@"
`;

/** Without capabilities, so that it cannot undo the mounts, and without the way to new ones. */
const DROP = ['setpriv', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all'];

export function mountSandbox(directories: { data: string; rootfs: string; scratch: string }): Sandbox {
  const root = process.getuid?.() === 0;
  const unshare = root
    ? ['unshare', '--mount']
    : ['unshare', '--user', '--map-current-user', '--keep-caps', '--mount'];
  const { data, rootfs, scratch } = directories;
  return {
    kind: 'mount-namespace',
    wrap: (argv) => [
      ...unshare,
      '/bin/sh',
      '-c',
      MOUNTS,
      'slipway-sandbox',
      data,
      rootfs,
      scratch,
      ...DROP,
      ...argv,
    ],
  };
}

/** Tries the whole sandbox once. null: it works here; else what the machine said. */
export async function sandboxProblem(): Promise<string | null> {
  const data = await mkdtemp(join(tmpdir(), 'slipway-sandbox-'));
  try {
    const [rootfs, scratch] = [join(data, 'rootfs'), join(data, 'scratch')];
    await Promise.all([mkdir(rootfs), mkdir(scratch)]);
    const sandbox = mountSandbox({ data, rootfs, scratch });
    const argv = sandbox.wrap(['/bin/true']);
    await promisify(execFile)(argv[0]!, argv.slice(1), { timeout: 5_000 });
    return null;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return (stderr || message).trim().slice(0, 300);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}
