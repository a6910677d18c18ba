import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import { errorCode, type Files, translateFileError } from './files.ts';
import type { Algorithm } from './verify.ts';

/** Uploads whose running hash is kept; one beyond them is copied and hashed again when it goes on. */
const OWNED_MAX = 4096;
const COPY_BYTES = 1024 * 1024;
const ID_PATTERN = /^[0-9a-f]{32}$/;

/** What this process knows of an upload whose file only it writes to. */
interface Ownership {
  ino: bigint;
  birth: bigint;
  algorithm: Algorithm;
  /** Over the first `hashed` bytes; -1 when it is not known what it is over. */
  hash: Hash;
  hashed: number;
}

export interface OpenUpload {
  file: FileHandle;
  size: number;
  own: Ownership;
}

export interface OwnedUploads {
  pathOf(id: string): string;
  create(id: string, algorithm: Algorithm): Promise<void>;
  /** Opens the file for writing; `not_found` when there is none. */
  open(id: string): Promise<OpenUpload>;
  /** Moves the file out of reach of other processes; null when another one had taken it over. */
  setAside(id: string, own: Ownership): Promise<string | null>;
  forget(id: string): void;
}

/**
 * Two servers may share the directory for a while (one is replaced by the next), and a client may reach both. If both wrote
 * to one file, the running hash of one would vouch for bytes of the other. So a process writes only to files it made
 * itself: an upload that it does not know it first copies (and hashes), and the copy takes the name. Whoever had it before
 * holds a file without a name then, and sees at its next step that it has to copy in turn.
 */
export function createOwnedUploads(
  directory: string,
  files: Files,
  random: (bytes: number) => Uint8Array,
): OwnedUploads {
  const owned = new Map<string, Ownership>();
  const pathOf = (id: string) => join(directory, id);
  const besides = (id: string) => `${pathOf(id)}.${Buffer.from(random(8)).toString('hex')}`;

  const keep = (id: string, own: Ownership) => {
    owned.delete(id);
    owned.set(id, own);
    const oldest = owned.keys().next().value;
    if (owned.size > OWNED_MAX && oldest !== undefined) owned.delete(oldest);
    return own;
  };

  async function adopt(id: string, source: FileHandle): Promise<OpenUpload> {
    const path = besides(id);
    const file = await files.open(path, 'wx+', 0o600);
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(COPY_BYTES);
      let size = 0;
      while (true) {
        const { bytesRead } = await source.read(buffer, 0, COPY_BYTES, size);
        if (bytesRead === 0) break;
        const chunk = buffer.subarray(0, bytesRead);
        hash.update(chunk);
        for (let at = 0; at < bytesRead; )
          at += (await file.write(chunk, at, bytesRead - at, size + at)).bytesWritten;
        size += bytesRead;
      }
      await files.rename(path, pathOf(id));
      return {
        file,
        size,
        own: keep(id, { ...(await identity(file)), algorithm: 'sha256', hash, hashed: size }),
      };
    } catch (error) {
      await file.close();
      await files.unlink(path).catch(() => {});
      throw translateFileError(error, 'taking an upload over');
    }
  }

  return {
    pathOf,
    forget: (id) => void owned.delete(id),
    async create(id, algorithm) {
      const file = await files.open(pathOf(id), 'wx', 0o600);
      try {
        keep(id, { ...(await identity(file)), algorithm, hash: createHash(algorithm), hashed: 0 });
      } finally {
        await file.close();
      }
    },
    async open(id) {
      const file = await openExisting(files, pathOf, id);
      const own = owned.get(id);
      if (own && isSame(own, await identity(file)))
        return { file, size: (await file.stat()).size, own: keep(id, own) };
      try {
        return await adopt(id, file);
      } finally {
        await file.close();
      }
    },
    async setAside(id, own) {
      const path = besides(id);
      await files.rename(pathOf(id), path);
      const found = await files.stat(path, { bigint: true });
      if (isSame(own, { ino: found.ino, birth: found.birthtimeNs })) return path;
      await files.rename(path, pathOf(id));
      return null;
    },
  };
}

async function identity(file: FileHandle): Promise<{ ino: bigint; birth: bigint }> {
  const { ino, birthtimeNs } = await file.stat({ bigint: true });
  return { ino, birth: birthtimeNs };
}

function isSame(a: { ino: bigint; birth: bigint }, b: { ino: bigint; birth: bigint }): boolean {
  return a.ino === b.ino && a.birth === b.birth;
}

/** The id comes from outside, and a path is made of it. */
async function openExisting(files: Files, pathOf: (id: string) => string, id: string): Promise<FileHandle> {
  try {
    if (ID_PATTERN.test(id)) return await files.open(pathOf(id), 'r+');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw translateFileError(error, 'opening an upload');
  }
  throw uploadMissing();
}

export function isUploadId(id: string): boolean {
  return ID_PATTERN.test(id);
}

function uploadMissing(): SlipwayError {
  return new SlipwayError('not_found', 'there is no such upload');
}
