import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { SlipwayError } from '../../../kernel/errors.ts';

const BLOCK = 1024 * 1024;

/** Hex SHA-256 of the first `size` bytes, a block at a time; fails when the file ends before that. */
export async function hashOpenFile(file: FileHandle, size: number): Promise<string> {
  const digest = createHash('sha256');
  for await (const block of readBlocks(file, size)) digest.update(block);
  return digest.digest('hex');
}

/** Exactly `size` bytes in blocks of 1 MiB; a shorter file is an error, so nobody mixes two versions of it. */
export async function* readBlocks(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  let position = 0;
  while (position < size) {
    const block = Buffer.allocUnsafe(Math.min(BLOCK, size - position));
    const { bytesRead } = await file.read(block, 0, block.length, position);
    if (bytesRead === 0) throw new SlipwayError('invalid_input', 'a file became shorter while it was read');
    position += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

/** Hex SHA-256 and size of a whole file. */
export async function hashFile(path: string): Promise<{ sha256: string; size: number }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return { sha256: await hashOpenFile(file, size), size };
  } finally {
    await file.close();
  }
}
