import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';

/**
 * Replaces `path` by `content`: after the promise resolves the new content survives a power cut, before that the old one
 * does, and no reader ever sees a part. A failed fsync fails the call; it is never retried.
 */
export async function writeDurably(path: string, content: Uint8Array | string, mode = 0o600): Promise<void> {
  const scratch = await writeScratch(path, content, mode);
  try {
    await rename(scratch, path);
  } catch (error) {
    await rm(scratch, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** The same for a path that must not exist yet. False when it does; of many callers exactly one gets true. */
export async function createDurably(
  path: string,
  content: Uint8Array | string,
  mode = 0o600,
): Promise<boolean> {
  const scratch = await writeScratch(path, content, mode);
  try {
    await link(scratch, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(scratch, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

async function writeScratch(path: string, content: Uint8Array | string, mode: number): Promise<string> {
  const scratch = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    const handle = await open(scratch, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await rm(scratch, { force: true });
    const full = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    throw full ? new SlipwayError('disk_full', `no space left to write ${path}`, { cause: error }) : error;
  }
  return scratch;
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
