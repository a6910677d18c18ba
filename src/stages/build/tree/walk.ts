import { hash } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { chmod, lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../../kernel/errors.ts';
import { type Glob, matchesAny, mayMatchBelow } from '../glob.ts';
import { byPath, MAX_ENTRIES, MAX_PATH_BYTES, MAX_TREE_BYTES, type TreeEntry } from './entry.ts';
import { hashOpenFile } from './hash.ts';
import { inParallel } from './parallel.ts';

const PARALLEL = 16;
/** Files up to this size are read and hashed in one go. */
const SMALL_FILE = 1024 * 1024;

export interface WalkOptions {
  /** What to take; null: everything. A pattern that names a directory takes all below it. */
  globs: readonly Glob[] | null;
  /** The tree belongs to a stranger who may have locked directories: they are opened up when they are ours. */
  unlock: boolean;
}

/**
 * The entries of a tree with their digests, sorted. No symlink is ever followed. Named pipes, sockets, devices and names
 * that are not UTF-8 are refused with `invalid_input`; too large a tree with `payload_too_large`.
 */
export async function walkTree(root: string, options: WalkOptions): Promise<TreeEntry[]> {
  const found: TreeEntry[] = [];
  let bytes = 0;
  const queue = [''];
  for (let directory = queue.pop(); directory !== undefined; directory = queue.pop()) {
    const here = directory;
    const children = await readNames(join(root, here), here, options.unlock);
    await inParallel(children, PARALLEL, async (child) => {
      const path = here === '' ? child.name : `${here}/${child.name}`;
      const taken = options.globs === null || matchesAny(options.globs, path);
      if (child.isDirectory()) {
        if (taken || options.globs?.some((glob) => mayMatchBelow(glob, path))) queue.push(path);
        if (taken) found.push({ path, type: 'directory', mode: 0o755, size: 0, target: '', sha256: '' });
      } else if (taken) {
        const entry = await readEntry(root, path, child, options.unlock);
        bytes += entry.size;
        found.push(entry);
      }
    });
    if (found.length > MAX_ENTRIES || bytes > MAX_TREE_BYTES) {
      const bound = `${MAX_ENTRIES} entries or ${MAX_TREE_BYTES} bytes`;
      throw new SlipwayError('payload_too_large', `the tree of files holds more than ${bound}`);
    }
  }
  return found.sort(byPath);
}

async function readEntry(root: string, path: string, child: Dirent, unlock: boolean): Promise<TreeEntry> {
  const host = join(root, path);
  if (child.isSymbolicLink()) {
    const target = await readlink(host, { encoding: 'buffer' });
    return { path, type: 'symlink', mode: 0o777, size: 0, target: utf8(target, path), sha256: '' };
  }
  if (!child.isFile())
    throw refuse(path, `is ${kindOf(child)}; a build keeps files, directories and symlinks`);
  const file = await openFile(host, path, unlock);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse(path, 'changed while it was read');
    const mode = (stat.mode & 0o100) === 0 ? 0o644 : 0o755;
    if (stat.size > SMALL_FILE) {
      return {
        path,
        type: 'file',
        mode,
        size: stat.size,
        target: '',
        sha256: await hashOpenFile(file, stat.size),
      };
    }
    const content = await file.readFile();
    if (content.length !== stat.size) throw refuse(path, 'changed while it was read');
    return { path, type: 'file', mode, size: stat.size, target: '', sha256: hash('sha256', content) };
  } finally {
    await file.close();
  }
}

/** Never through a symlink, never waiting on a named pipe. */
async function openFile(host: string, path: string, unlock: boolean) {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return await open(host, flags);
  } catch (error) {
    if (!unlock || (error as NodeJS.ErrnoException).code !== 'EACCES') throw readError(path, error);
    const { mode } = await lstat(host);
    await chmod(host, (mode & 0o777) | 0o400);
    return open(host, flags);
  }
}

async function readNames(host: string, path: string, unlock: boolean): Promise<Dirent[]> {
  const read = () => readdir(host, { withFileTypes: true, encoding: 'buffer' });
  const names = await read().catch(async (error: NodeJS.ErrnoException) => {
    if (!unlock || error.code !== 'EACCES') throw readError(path, error);
    await chmod(host, 0o700);
    return read();
  });
  return names.map((child) => {
    const name = utf8(child.name, path);
    const full = path === '' ? name : `${path}/${name}`;
    if (Buffer.byteLength(full) > MAX_PATH_BYTES)
      throw refuse(full.slice(0, 80), `is longer than ${MAX_PATH_BYTES} bytes`);
    // The methods (isFile …) work on what the directory said; only the name was bytes.
    return Object.assign(Object.create(Object.getPrototypeOf(child)) as Dirent, child, { name });
  });
}

function utf8(bytes: Buffer, near: string): string {
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) {
    throw refuse(
      near || '.',
      `holds a name or link that is not UTF-8: ${JSON.stringify(bytes.toString('latin1').slice(0, 80))}`,
    );
  }
  return text;
}

function kindOf(child: Dirent): string {
  if (child.isFIFO()) return 'a named pipe';
  if (child.isSocket()) return 'a socket';
  return 'a device or something unknown';
}

function readError(path: string, cause: unknown): SlipwayError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'error';
  return new SlipwayError('invalid_input', `${JSON.stringify(path)} cannot be read (${code})`, { cause });
}

function refuse(path: string, why: string): SlipwayError {
  return new SlipwayError('invalid_input', `${JSON.stringify(path)} ${why}`, {
    hint: 'leave it out of the outputs and layers, or let the step remove it',
  });
}
