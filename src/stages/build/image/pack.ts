import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../../kernel/digest.ts';
import { type Compression, compress } from './compress.ts';
import { type TarInput, writeTar } from './tar.ts';

/** A compressed archive on disk: `digest` of the stored bytes, `diffId` of the archive inside. */
export interface PackedArchive {
  path: string;
  digest: Digest;
  size: number;
  diffId: Digest;
  unpackedSize: number;
}

/**
 * Packs entries into `<directory>/<hex of digest>`. The file appears under its name only when it is whole and on disk.
 * `scratch` names the unfinished file and must be unique among those who write to the directory.
 */
export async function packArchive(
  directory: string,
  scratch: string,
  inputs: readonly TarInput[],
  options: { mtimeS: number; compression: Compression },
): Promise<PackedArchive> {
  const unfinished = join(directory, `${scratch}.partial`);
  const diff = createHash('sha256');
  const stored = createHash('sha256');
  let unpackedSize = 0;
  let size = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const block of writeTar(inputs, options.mtimeS)) {
      diff.update(block);
      unpackedSize += block.length;
      yield block;
    }
  }
  try {
    const file = await open(unfinished, 'w', 0o600);
    try {
      for await (const piece of compress(counted(), options.compression)) {
        stored.update(piece);
        size += piece.length;
        await file.writeFile(piece);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const hex = stored.digest('hex');
    const path = join(directory, hex);
    await rename(unfinished, path);
    await syncDirectory(dirname(path));
    return { path, digest: `sha256:${hex}`, size, diffId: `sha256:${diff.digest('hex')}`, unpackedSize };
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
