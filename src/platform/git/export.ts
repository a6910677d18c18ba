import { once } from 'node:events';
import { constants } from 'node:fs';
import { mkdir, open, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Git, killGroup, notStarted, runGit, spawnGit } from './git.ts';
import type { Mirror } from './mirror.ts';
import { requireSha } from './objects.ts';
import { checkTree, parseTree, type TreeEntry } from './tree.ts';

export interface ExportLimits {
  maxFiles: number;
  maxFileBytes: number;
  maxTotalBytes: number;
  timeoutMs: number;
}

export const EXPORT_LIMITS: ExportLimits = {
  maxFiles: 200_000,
  maxFileBytes: 1_073_741_824,
  maxTotalBytes: 4_294_967_296,
  timeoutMs: 300_000,
};

/**
 * Writes the files of a commit into `directory`, which must be empty or missing: the exact blobs, without `.git`, without
 * filters, line-end conversion or export attributes. Modes are 0644 and 0755. A commit whose paths or symbolic links could
 * reach outside is refused before a byte is written; submodules become empty folders, as git itself leaves them.
 * Throws `commit_not_found`, `invalid_input`, `payload_too_large`, `disk_full`, `timeout`.
 */
export async function exportTree(
  git: Git,
  mirror: Mirror,
  sha: string,
  directory: string,
  limits: ExportLimits = EXPORT_LIMITS,
): Promise<{ files: number; bytes: number }> {
  requireSha(sha);
  const entries = await listTree(git, mirror, sha, limits);
  checkTree(entries, limits);
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) {
    throw new SlipwayError('invalid_state', 'the folder to export into is not empty');
  }
  await makeFolders(directory, entries);
  try {
    await writeBlobs(git, mirror, directory, entries, limits);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC'
      ? new SlipwayError('disk_full', 'no disk left for the source of a build', { cause: error })
      : error;
  }
  return { files: entries.length, bytes: entries.reduce((sum, entry) => sum + entry.size, 0) };
}

async function listTree(git: Git, mirror: Mirror, sha: string, limits: ExportLimits): Promise<TreeEntry[]> {
  const args = [`--git-dir=${mirror.directory}`, 'ls-tree', '-r', '-z', '--long', '--full-tree', sha];
  const { exitCode, stdout, stderr } = await runGit(git, args, { maxBytes: limits.maxFiles * 512 });
  if (exitCode === 0) return parseTree(stdout);
  if (/not a tree object|bad object|Not a valid object/i.test(stderr)) {
    throw new SlipwayError('commit_not_found', `the repository has no commit ${sha}`, {
      hint: 'It may not have been pushed yet.',
    });
  }
  throw new SlipwayError('internal', `git could not list commit ${sha}: ${stderr}`);
}

async function makeFolders(directory: string, entries: readonly TreeEntry[]): Promise<void> {
  const folders = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === 'submodule') folders.add(entry.path);
    for (let at = dirname(entry.path); at !== '.' && !folders.has(at); at = dirname(at)) folders.add(at);
  }
  for (const folder of [...folders].sort())
    await mkdir(join(directory, folder), { recursive: true, mode: 0o755 });
}

/** One `cat-file --batch` streams every blob. Symbolic links are made last, so that no write can pass through one. */
async function writeBlobs(
  git: Git,
  mirror: Mirror,
  directory: string,
  entries: readonly TreeEntry[],
  limits: ExportLimits,
): Promise<void> {
  const blobs = entries.filter((entry) => entry.kind !== 'submodule');
  if (blobs.length === 0) return;
  const child = spawnGit(git, [`--git-dir=${mirror.directory}`, 'cat-file', '--batch', '--buffer']);
  const failed = once(child, 'error').then(([error]) => Promise.reject(notStarted(error as Error)));
  failed.catch(() => {});
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child);
  }, limits.timeoutMs);
  child.stderr?.resume();
  child.stdin?.on('error', () => {});
  child.stdin?.end(blobs.map((entry) => `${entry.oid}\n`).join(''));
  const source = new BlobStream(child.stdout!);
  const links: { path: string; target: string }[] = [];
  const work = async () => {
    for (const entry of blobs) {
      const size = await source.header(entry);
      if (entry.kind === 'link') {
        links.push({ path: entry.path, target: (await source.all(size)).toString('utf8') });
        continue;
      }
      await writeBlob(join(directory, entry.path), entry.kind === 'executable' ? 0o755 : 0o644, source, size);
    }
    checkTree(entries, limits, new Map(links.map((link) => [link.path, link.target])));
    for (const link of links) await symlink(link.target, join(directory, link.path));
  };
  try {
    await Promise.race([work(), failed]);
  } catch (error) {
    throw late
      ? new SlipwayError('timeout', `exporting the source took longer than ${limits.timeoutMs / 1000} s`)
      : error;
  } finally {
    clearTimeout(timer);
    killGroup(child);
  }
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

async function writeBlob(path: string, mode: number, source: BlobStream, size: number): Promise<void> {
  const file = await open(path, NEW_FILE, mode);
  try {
    for await (const chunk of source.body(size)) await file.writeFile(chunk);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

/** Reads the answers of `git cat-file --batch`: `<oid> blob <size>`, a line feed, the bytes, a line feed. */
class BlobStream {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async header(entry: TreeEntry): Promise<number> {
    while (!this.rest.includes(10)) await this.more();
    const end = this.rest.indexOf(10);
    const [oid, type, size] = this.rest.subarray(0, end).toString('latin1').split(' ');
    this.rest = this.rest.subarray(end + 1);
    if (oid !== entry.oid || type !== 'blob' || Number(size) !== entry.size) {
      throw new SlipwayError('tampered', `the mirror does not hold ${entry.path} as the commit names it`, {
        hint: 'The mirror is damaged; remove it and it is fetched anew.',
      });
    }
    return Number(size);
  }

  async *body(size: number): AsyncGenerator<Buffer> {
    let left = size;
    while (left > 0) {
      if (this.rest.length === 0) await this.more();
      const chunk = this.rest.subarray(0, left);
      this.rest = this.rest.subarray(chunk.length);
      left -= chunk.length;
      yield chunk;
    }
    while (this.rest.length === 0) await this.more();
    this.rest = this.rest.subarray(1);
  }

  async all(size: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.body(size)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  private async more(): Promise<void> {
    const next = await this.chunks.next();
    if (next.done) throw new SlipwayError('internal', 'git ended before it gave every file');
    this.rest = this.rest.length === 0 ? next.value : Buffer.concat([this.rest, next.value]);
  }
}
