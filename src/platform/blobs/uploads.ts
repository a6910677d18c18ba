import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { errorCode, type Files, isDiskFull, translateFileError } from './files.ts';
import type { AppendOptions, BlobSource, BlobStore } from './store.ts';
import { createTurns } from './turns.ts';
import { type Algorithm, algorithmOf, hashFile } from './verify.ts';
import { writeSource } from './write.ts';

/** Running hashes kept; an upload beyond them is hashed again from its file when it ends. */
const RUNNING_HASHES_MAX = 4096;
const ID_PATTERN = /^[0-9a-f]{32}$/;
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

/** A hash of the first `offset` bytes of an upload. Only an aid: when it does not fit the file, the file is read again. */
interface RunningHash {
  algorithm: Algorithm;
  hash: Hash;
  offset: number;
}

type Uploads = Pick<
  BlobStore,
  'createUpload' | 'uploadOffset' | 'append' | 'seal' | 'commit' | 'cancel' | 'sweep'
> & { digestOf(id: string): Promise<Digest> };

/** Uploads in parts, one file each. The file is the truth: its size is the offset, also after a crash. */
export function createUploads({ directory, files, publish, random, idleMs }: UploadParts): Uploads {
  const running = new Map<string, RunningHash>();
  const sealed = new Map<string, { digest: Digest; size: number }>();
  const turns = createTurns();
  let broken: Error | null = null;

  const pathOf = (id: string) => join(directory, id);
  const requireSound = () => {
    if (broken) {
      throw new SlipwayError('internal', 'the blob store stopped writing after a failed fsync', {
        hint: 'Check the disk, then restart the server.',
        cause: broken,
      });
    }
  };
  const openUpload = async (id: string): Promise<FileHandle> => {
    if (!ID_PATTERN.test(id)) throw uploadMissing();
    try {
      return await files.open(pathOf(id), 'r+');
    } catch (error) {
      throw errorCode(error) === 'ENOENT' ? uploadMissing() : translateFileError(error, 'opening an upload');
    }
  };
  const keepHash = (id: string, state: RunningHash) => {
    running.delete(id);
    running.set(id, state);
    const oldest = running.keys().next().value;
    if (running.size > RUNNING_HASHES_MAX && oldest !== undefined) running.delete(oldest);
  };
  const forget = (id: string) => {
    running.delete(id);
    sealed.delete(id);
  };
  const drop = async (id: string) => {
    forget(id);
    if (!ID_PATTERN.test(id)) return false;
    try {
      await files.unlink(pathOf(id));
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw translateFileError(error, 'removing an upload');
    }
  };

  async function appendInTurn(id: string, source: BlobSource, options: AppendOptions): Promise<number> {
    const file = await openUpload(id);
    try {
      const { size } = await file.stat();
      if (options.offset !== undefined && options.offset !== size) throw otherOffset(size);
      if (size + (options.length ?? 0) > options.maxBytes) throw uploadTooLarge(options.maxBytes);
      sealed.delete(id);
      const state = running.get(id);
      const hash = state?.offset === size ? state : null;
      running.delete(id);
      const written = await writeOrRevert(file, size, source, {
        ...options,
        idleMs,
        onBytes: (chunk) => void hash?.hash.update(chunk),
      });
      const offset = size + written;
      if (hash) keepHash(id, { ...hash, offset });
      return offset;
    } finally {
      await file.close();
    }
  }

  async function digestAt(id: string, algorithm: Algorithm, size: number): Promise<Digest> {
    const state = running.get(id);
    if (state?.offset === size && state.algorithm === algorithm) {
      return `${algorithm}:${state.hash.copy().digest('hex')}`;
    }
    return `${algorithm}:${await hashFile(files, pathOf(id), algorithm)}`;
  }

  async function sealInTurn(id: string, digest: Digest): Promise<number> {
    requireSound();
    const before = sealed.get(id);
    if (before?.digest === digest) return before.size;
    const file = await openUpload(id);
    try {
      const { size } = await file.stat();
      const actual = await digestAt(id, algorithmOf(digest), size);
      if (actual !== digest) {
        throw new SlipwayError('digest_mismatch', `the bytes are ${actual}, not ${digest}`);
      }
      await file.datasync().catch(async (error: unknown) => {
        if (!isDiskFull(error)) broken = error as Error;
        // A second fsync of this file would prove nothing.
        await drop(id);
        throw error;
      });
      sealed.set(id, { digest, size });
      return size;
    } catch (error) {
      throw translateFileError(error, 'making an upload durable');
    } finally {
      await file.close();
    }
  }

  return {
    async createUpload(algorithm = 'sha256') {
      requireSound();
      const id = Buffer.from(random(ID_BYTES)).toString('hex');
      try {
        await (await files.open(pathOf(id), 'wx', 0o600)).close();
      } catch (error) {
        throw translateFileError(error, 'beginning an upload');
      }
      keepHash(id, { algorithm, hash: createHash(algorithm), offset: 0 });
      return id;
    },
    async uploadOffset(id) {
      if (!ID_PATTERN.test(id)) return null;
      try {
        return (await files.stat(pathOf(id))).size;
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
      const { size } = await files.stat(pathOf(id));
      return digestAt(id, running.get(id)?.algorithm ?? 'sha256', size);
    },
    seal: (id, digest) => turns.takeOver(id, undefined, () => sealInTurn(id, digest)),
    commit: (id, digest) =>
      turns.takeOver(id, undefined, async () => {
        const size = await sealInTurn(id, digest);
        await publish(pathOf(id), digest).catch((error: unknown) => {
          if (!isDiskFull(error)) broken = error as Error;
          throw translateFileError(error, 'publishing a blob');
        });
        forget(id);
        return { digest, size };
      }),
    cancel: (id) => turns.takeOver(id, undefined, () => drop(id)),
    async sweep(beforeMs) {
      let count = 0;
      for (const id of await files.readdir(directory)) {
        const found = await files.stat(pathOf(id)).catch(() => null);
        if (found && found.mtimeMs < beforeMs && !turns.busy(id) && (await drop(id))) count += 1;
      }
      return count;
    },
  };
}

/** Appends the source at `size`; after any failure but a vanished sender the file is cut back to `size`. */
async function writeOrRevert(
  file: FileHandle,
  size: number,
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

function uploadMissing(): SlipwayError {
  return new SlipwayError('not_found', 'there is no such upload');
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
