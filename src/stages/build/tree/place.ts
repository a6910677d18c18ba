import { constants } from 'node:fs';
import { chmod, chown, copyFile, lchown, lutimes, mkdir, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlacedEntry, TreeEntry } from './entry.ts';
import { inParallel } from './parallel.ts';

const PARALLEL = 16;

export interface PlaceOptions {
  /** Seconds since 1970: the time every file shows. */
  mtimeS: number;
  owner: { uid: number; gid: number } | null;
  /** Make things in the opposite order: a variation that a reproducible build does not notice. */
  reversed?: boolean;
}

/** A source of files for a placed tree: a directory, or an archive that writes the wanted ones itself. */
export type Origin =
  | { kind: 'directory'; path: string }
  | { kind: 'archive'; write(wanted: ReadonlySet<string>, destination: string): Promise<void> };

/**
 * Writes a tree that `overlay` made into the empty directory `destination`. Modes, times and owner come out the same
 * whatever the origin had. Symlinks are made after all files, so no write passes through one.
 */
export async function placeTree(
  destination: string,
  tree: readonly PlacedEntry<Origin>[],
  options: PlaceOptions,
): Promise<void> {
  const order = options.reversed ? [...tree].reverse() : tree;
  const of = (type: TreeEntry['type']) => order.filter(({ entry }) => entry.type === type);
  await mkdir(destination, { recursive: true, mode: 0o755 });
  for (const { entry } of of('directory'))
    await mkdir(join(destination, entry.path), { recursive: true, mode: 0o755 });
  const archives = new Map<Origin, Set<string>>();
  await inParallel(of('file'), PARALLEL, async ({ entry, origin }) => {
    if (origin.kind === 'directory') {
      const path = join(destination, entry.path);
      await copyFile(
        join(origin.path, entry.path),
        path,
        constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL,
      );
      return;
    }
    const wanted = archives.get(origin) ?? new Set();
    archives.set(origin, wanted.add(entry.path));
  });
  for (const [origin, wanted] of archives) {
    if (origin.kind === 'archive') await origin.write(wanted, destination);
  }
  for (const { entry } of of('symlink')) await symlink(entry.target, join(destination, entry.path));
  await normalize(destination, tree, options);
}

async function normalize(
  destination: string,
  tree: readonly PlacedEntry<Origin>[],
  { mtimeS, owner }: PlaceOptions,
): Promise<void> {
  await inParallel(tree, PARALLEL, async ({ entry }) => {
    const path = join(destination, entry.path);
    if (entry.type === 'symlink') {
      if (owner) await lchown(path, owner.uid, owner.gid);
      await lutimes(path, mtimeS, mtimeS);
      return;
    }
    await chmod(path, entry.mode);
    if (owner) await chown(path, owner.uid, owner.gid);
    if (entry.type === 'file') await utimes(path, mtimeS, mtimeS);
  });
  // Last and from below: making a file changes the time of its directory.
  for (const { entry } of [...tree].reverse()) {
    if (entry.type === 'directory') await utimes(join(destination, entry.path), mtimeS, mtimeS);
  }
  await chmod(destination, 0o755);
  if (owner) await chown(destination, owner.uid, owner.gid);
  await utimes(destination, mtimeS, mtimeS);
}
