import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { errorCode, type Files, isDiskFull, translateFileError } from './files.ts';
import { createOwnedUploads, isUploadId, type OpenUpload } from './owned.ts';
import type { AppendOptions, BlobSource, BlobStore } from './store.ts';
import { createTurns } from './turns.ts';
import { type Algorithm, algorithmOf, hashFile } from './verify.ts';
import { writeSource } from './write.ts';

const ID_BYTES = 16;

/** Moves the file to its digest, durably. */
export type Publish = (from: string, digest: Digest) => Promise<void>;

export interface UploadParts {
  directory: string;
  files: Files;
  publish: Publish;
  random(bytes: number): Uint8Array;
  idleMs: number | undefined;
}

interface Sealed {
  digest: Digest;
  size: number;
  path: string;
}

type Uploads = Pick<
  BlobStore,
  'createUpload' | 'uploadOffset' | 'append' | 'seal' | 'commit' | 'cancel' | 'sweep'
> & { digestOf(id: string): Promise<Digest> };

/** Uploads in parts, one file each. The file is the truth: its size is the offset, also after a crash. */
export function createUploads({ directory, files, publish, random, idleMs }: UploadParts): Uploads {
  const owned = createOwnedUploads(directory, files, random);
  const sealed = new Map<string, Sealed>();
  const turns = createTurns();
  let broken: Error | null = null;

  const requireSound = () => {
    if (!broken) return;
    throw new SlipwayError('internal', 'the blob store stopped writing after a failed fsync', {
      hint: 'Check the disk, then restart the server.',
      cause: broken,
    });
  };
  const noteFailedSync = (error: unknown) => {
    if (!isDiskFull(error)) broken = error as Error;
  };

  async function drop(id: string): Promise<boolean> {
    const aside = sealed.get(id)?.path;
    owned.forget(id);
    sealed.delete(id);
    if (!isUploadId(id)) return false;
    const removed = await Promise.all(
      [owned.pathOf(id), ...(aside ? [aside] : [])].map((path) => remove(files, path)),
    );
    return removed.includes(true);
  }

  async function appendInTurn(id: string, source: BlobSource, options: AppendOptions): Promise<number> {
    const upload = await owned.open(id);
    try {
      const { size, own } = upload;
      if (options.offset !== undefined && options.offset !== size) throw otherOffset(size);
      if (size + (options.length ?? 0) > options.maxBytes) throw uploadTooLarge(options.maxBytes);
      const known = own.hashed === size;
      own.hashed = -1;
      const onBytes = (chunk: Buffer) => void (known && own.hash.update(chunk));
      const offset = size + (await writeOrRevert(upload, source, { ...options, idleMs, onBytes }));
      if (known) own.hashed = offset;
      return offset;
    } finally {
      await upload.file.close();
    }
  }

  async function sealInTurn(id: string, digest: Digest): Promise<Sealed> {
    requireSound();
    const before = sealed.get(id);
    if (before?.digest === digest) return before;
    const upload = await owned.open(id);
    try {
      const actual = await digestAt(upload, algorithmOf(digest));
      if (actual !== digest) {
        throw new SlipwayError('digest_mismatch', `the bytes are ${actual}, not ${digest}`);
      }
      const path = await owned.setAside(id, upload.own);
      if (path === null)
        throw new SlipwayError('conflict', 'the upload went on elsewhere', {
          facts: { offset: upload.size },
        });
      const result = { digest, size: upload.size, path };
      sealed.set(id, result);
      await upload.file.datasync().catch(async (error: unknown) => {
        noteFailedSync(error);
        // A second fsync of this file would prove nothing.
        await drop(id);
        throw error;
      });
      return result;
    } catch (error) {
      throw translateFileError(error, 'making an upload durable');
    } finally {
      await upload.file.close();
    }
  }

  return {
    async createUpload(algorithm = 'sha256') {
      requireSound();
      const id = Buffer.from(random(ID_BYTES)).toString('hex');
      await owned.create(id, algorithm).catch((error: unknown) => {
        throw translateFileError(error, 'beginning an upload');
      });
      return id;
    },
    async uploadOffset(id) {
      if (!isUploadId(id)) return null;
      try {
        return (await files.stat(owned.pathOf(id))).size;
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return null;
        throw translateFileError(error, 'reading the size of an upload');
      }
    },
    append(id, source, options) {
      requireSound();
      // A source may break before its turn comes; an error nobody listens to would end the process.
      if (!Buffer.isBuffer(source)) source.on('error', () => {});
      return turns.takeOver(id, options.signal, (signal) => appendInTurn(id, source, { ...options, signal }));
    },
    async digestOf(id) {
      const upload = await owned.open(id);
      try {
        return await digestAt(upload, upload.own.algorithm);
      } finally {
        await upload.file.close();
      }
    },
    seal: (id, digest) => turns.takeOver(id, undefined, async () => (await sealInTurn(id, digest)).size),
    commit: (id, digest) =>
      turns.takeOver(id, undefined, async () => {
        const { size, path } = await sealInTurn(id, digest);
        await publish(path, digest).catch((error: unknown) => {
          noteFailedSync(error);
          throw translateFileError(error, 'publishing a blob');
        });
        owned.forget(id);
        sealed.delete(id);
        return { digest, size };
      }),
    cancel: (id) => turns.takeOver(id, undefined, () => drop(id)),
    async sweep(beforeMs) {
      let count = 0;
      for (const name of await files.readdir(directory)) {
        const id = name.split('.', 1)[0]!;
        const found = await files.stat(join(directory, name)).catch(() => null);
        if (!found || found.mtimeMs >= beforeMs || turns.busy(id)) continue;
        if (await remove(files, join(directory, name))) count += 1;
        owned.forget(id);
        sealed.delete(id);
      }
      return count;
    },
  };
}

async function remove(files: Files, path: string): Promise<boolean> {
  try {
    await files.unlink(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw translateFileError(error, 'removing an upload');
  }
}

/** From the running hash where it fits, else by reading the file again. */
async function digestAt({ file, size, own }: OpenUpload, algorithm: Algorithm): Promise<Digest> {
  const running = own.hashed === size && own.algorithm === algorithm;
  return `${algorithm}:${running ? own.hash.copy().digest('hex') : await hashFile(file, algorithm)}`;
}

/** Appends the source; after any failure but a vanished sender the file is cut back to what it was. */
async function writeOrRevert(
  { file, size }: { file: FileHandle; size: number },
  source: BlobSource,
  options: AppendOptions & { idleMs: number | undefined; onBytes(chunk: Buffer): void },
): Promise<number> {
  const room = options.maxBytes - size;
  const limit = Math.min(room, options.length ?? Number.POSITIVE_INFINITY);
  try {
    const result = await writeSource(file, source, {
      position: size,
      maxBytes: limit,
      onBytes: options.onBytes,
      signal: options.signal,
      idleMs: options.idleMs,
    });
    if (result.gone !== null) {
      throw new SlipwayError('cancelled', result.gone, { facts: { offset: size + result.written } });
    }
    if (options.length !== undefined && result.written !== options.length) throw otherLength(options.length);
    return result.written;
  } catch (error) {
    const cause = error as SlipwayError;
    if (cause.code === 'cancelled') throw error;
    await file.truncate(size);
    if (cause.code === 'payload_too_large' && limit < room) throw otherLength(limit);
    throw translateFileError(error, 'writing an upload');
  }
}

function otherOffset(offset: number): SlipwayError {
  return new SlipwayError('conflict', `the upload has ${offset} bytes; the next byte is ${offset}`, {
    facts: { offset },
  });
}

function otherLength(length: number): SlipwayError {
  return new SlipwayError('invalid_input', `not the ${length} bytes that were announced`);
}

function uploadTooLarge(maxBytes: number): SlipwayError {
  return new SlipwayError('payload_too_large', `an upload may have at most ${maxBytes} bytes`);
}
