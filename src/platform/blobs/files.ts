import { mkdir, open, opendir, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';

/** The calls the store makes on the file system: handed in, so that a test can fill the disk at any of them. */
export const nodeFiles = { mkdir, open, opendir, readdir, rename, rm, stat, unlink };
export type Files = typeof nodeFiles;

export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function isDiskFull(error: unknown): boolean {
  return FULL.has(errorCode(error));
}

/** A file system error as the closed list has it: a full disk is `disk_full`, anything else `internal`. */
export function translateFileError(error: unknown, what: string): SlipwayError {
  if (isSlipwayError(error)) return error;
  if (isDiskFull(error)) {
    return new SlipwayError('disk_full', `the disk is full: ${what}`, {
      hint: 'Free space where the data directory lies, or move it, then try again; nothing of this attempt was kept.',
      cause: error,
    });
  }
  return new SlipwayError('internal', `${what} failed: ${errorCode(error) || (error as Error).message}`, {
    cause: error,
  });
}

/** Makes the entries of a directory durable. A failure is final for the caller: a later success would prove nothing. */
export async function syncDirectory(files: Files, path: string): Promise<void> {
  const handle = await files.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
