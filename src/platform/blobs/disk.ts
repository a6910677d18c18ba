import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { type Digest, digestHex, isDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { errorCode, type Files, nodeFiles, syncDirectory, translateFileError } from './files.ts';
import { sendFile } from './send.ts';
import type { BlobStore, StoredBlob } from './store.ts';
import { createUploads, type Publish } from './uploads.ts';
import { algorithmOf } from './verify.ts';

/** Bytes of one read: large enough that the calls do not show. */
const READ_BYTES = 1024 * 1024;

export interface DiskStoreOptions {
  random?: (bytes: number) => Uint8Array;
  files?: Files;
  /** See `writeSource`. */
  idleMs?: number;
}

/**
 * A `BlobStore` in a directory of its own: `sha256/ab/<hex>` are blobs, `uploads/<id>` are uploads and temporary files.
 * The order of a commit is write, hash, fdatasync, rename, fsync of the directory: a crash anywhere leaves either no blob
 * or a whole one. After a failed fsync the store refuses to write until the process is restarted, for the kernel may
 * have dropped the pages and would call the next fsync a success.
 */
export function openDiskStore(directory: string, options: DiskStoreOptions = {}): BlobStore {
  const files = options.files ?? nodeFiles;
  const uploadDirectory = join(directory, 'uploads');
  for (const path of [directory, uploadDirectory]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const publish = createPublisher(directory, files);
  const uploads = createUploads({
    directory: uploadDirectory,
    files,
    publish,
    random: options.random ?? randomBytes,
    idleMs: options.idleMs,
  });

  return {
    ...uploads,
    async put(source, { expected, maxBytes }) {
      const id = await uploads.createUpload(expected === undefined ? 'sha256' : algorithmOf(expected));
      try {
        await uploads.append(id, source, { maxBytes, offset: 0 });
        return await uploads.commit(id, expected ?? (await uploads.digestOf(id)));
      } catch (error) {
        await uploads.cancel(id);
        throw error;
      }
    },
    async open(digest, range) {
      const file = await openBlob(directory, files, digest);
      const { size } = await file.stat();
      if (size === 0) {
        await file.close();
        return { stream: Readable.from([]), size };
      }
      return { stream: file.createReadStream({ ...range, highWaterMark: READ_BYTES }), size };
    },
    async send(digest, sink, range) {
      const file = await openBlob(directory, files, digest);
      try {
        const { start, end } = range ?? { start: 0, end: (await file.stat()).size - 1 };
        await sendFile(file, start, end, sink);
      } finally {
        await file.close();
      }
    },
    async stat(digest) {
      try {
        return (await files.stat(blobPath(directory, digest))).size;
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return null;
        throw translateFileError(error, 'reading the size of a blob');
      }
    },
    async delete(digest) {
      try {
        await files.unlink(blobPath(directory, digest));
        return true;
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return false;
        throw translateFileError(error, 'deleting a blob');
      }
    },
    list: () => listBlobs(directory, files),
  };
}

async function openBlob(directory: string, files: Files, digest: Digest): Promise<FileHandle> {
  try {
    return await files.open(blobPath(directory, digest), 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw blobMissing(digest);
    throw error instanceof TypeError ? error : translateFileError(error, 'opening a blob');
  }
}

function blobMissing(digest: Digest): SlipwayError {
  return new SlipwayError('not_found', `there is no blob ${digest} in the store`);
}

/** Checked here as well: a path is built from it. */
function blobPath(directory: string, digest: Digest): string {
  if (!isDigest(digest)) throw new TypeError('not a digest');
  const hex = digestHex(digest);
  return join(directory, algorithmOf(digest), hex.slice(0, 2), hex);
}

/** Moves a sealed file to its digest and makes the move durable. */
function createPublisher(directory: string, files: Files): Publish {
  const known = new Set<string>();
  return async (from, digest) => {
    const path = blobPath(directory, digest);
    const folder = dirname(path);
    if (!known.has(folder)) {
      await files.mkdir(folder, { recursive: true, mode: 0o700 });
      await syncDirectory(files, dirname(folder));
      await syncDirectory(files, directory);
      known.add(folder);
    }
    // Replaces a blob that is there: the new bytes were just checked, the old ones may have rotted.
    await files.rename(from, path);
    await syncDirectory(files, folder);
  };
}

async function* listBlobs(directory: string, files: Files): AsyncGenerator<StoredBlob> {
  for (const algorithm of ['sha256', 'sha512']) {
    const folders = await entries(files, join(directory, algorithm));
    for (const folder of folders) {
      for (const hex of await entries(files, join(directory, algorithm, folder))) {
        const digest = `${algorithm}:${hex}`;
        if (!isDigest(digest) || !hex.startsWith(folder)) continue;
        const found = await files.stat(join(directory, algorithm, folder, hex)).catch(() => null);
        if (found) yield { digest, size: found.size };
      }
    }
  }
}

async function entries(files: Files, path: string): Promise<string[]> {
  try {
    return await files.readdir(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw translateFileError(error, 'listing blobs');
  }
}
