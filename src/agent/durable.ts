import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';

/**
 * Replaces `path` with `bytes` so that after a crash at any moment it holds the old bytes or the new ones, and after the
 * return, the new ones: temporary file, fsync, rename, fsync of the directory. A failed fsync is never tried again on the
 * same file.
 */
export async function writeDurably(path: string, bytes: string | Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw diskError(error, path);
  }
}

export async function removeDurably(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw diskError(error, path);
  }
  await syncDirectory(dirname(path));
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** `disk_full` for a full disk; anything else as it is. */
export function diskError(error: unknown, path: string): unknown {
  if (!FULL.has((error as { code?: string }).code ?? '')) return error;
  return new SlipwayError('disk_full', `No space left to write ${path}`, {
    cause: error,
    hint: 'Free some space on the disk of the data directory; the agent goes on by itself.',
  });
}
