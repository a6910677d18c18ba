import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import { type IndexEntry, SEALED_DIRECTORY_MODE, type TreeIndex } from './tree-index.ts';

/** Identity of each file's content when it was last hashed. A write moves the change time, which no process can set. */
export type VerifiedFiles = Map<string, string>;

/**
 * Compares a tree on disk with its index: every path, type, mode, link target and byte. The first difference is `tampered`
 * and names the file. A file whose device, inode, size and change time are as in `verified` is not hashed again, so a
 * second check in the life of a process costs one lstat a file.
 */
export async function verifyTree(
  directory: string,
  index: TreeIndex,
  verified: VerifiedFiles = new Map(),
): Promise<void> {
  const expected = new Map(index.entries.map((entry) => [entry.path, entry]));
  await checkDirectoryMode(directory, '/');
  const pending = [''];
  while (pending.length > 0) {
    const prefix = pending.pop()!;
    for (const name of await readdir(join(directory, prefix))) {
      const path = prefix === '' ? name : `${prefix}/${name}`;
      const entry = expected.get(path);
      if (entry === undefined) throw tampered(path, 'is not part of the image');
      expected.delete(path);
      await checkEntry(directory, entry, verified);
      if (entry.type === 'directory') pending.push(path);
    }
  }
  for (const path of expected.keys()) throw tampered(path, 'is missing');
}

async function checkDirectoryMode(path: string, shown: string): Promise<void> {
  const stats = await lstat(path, { bigint: true });
  if (!stats.isDirectory()) throw tampered(shown, 'is not a directory');
  if (modeOf(stats) !== SEALED_DIRECTORY_MODE) throw tampered(shown, 'has other permissions');
}

async function checkEntry(directory: string, entry: IndexEntry, verified: VerifiedFiles): Promise<void> {
  const path = join(directory, entry.path);
  const stats = await lstat(path, { bigint: true });
  if (entry.type === 'symlink') {
    if (!stats.isSymbolicLink() || (await readlink(path)) !== entry.target)
      throw tampered(entry.path, 'is another link');
    return;
  }
  if (entry.type === 'directory') return checkDirectoryMode(path, entry.path);
  if (!stats.isFile()) throw tampered(entry.path, 'is not a regular file');
  if (modeOf(stats) !== entry.mode) throw tampered(entry.path, 'has other permissions');
  if (stats.size !== BigInt(entry.size))
    throw tampered(entry.path, `has ${stats.size} bytes, not ${entry.size}`);
  const identity = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
  if (verified.get(entry.path) === identity) return;
  if ((await hashFile(path)) !== entry.sha256) throw tampered(entry.path, 'has other content');
  verified.set(entry.path, identity);
}

function modeOf(stats: BigIntStats): number {
  return Number(stats.mode & 0o7777n);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function tampered(path: string, how: string): SlipwayError {
  return new SlipwayError('tampered', `The unpacked image was changed: ${JSON.stringify(path)} ${how}`, {
    hint: 'Nothing is started from it; it is set aside and the next start pulls the image again.',
    facts: { file: path },
  });
}
