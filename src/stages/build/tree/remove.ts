import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes a tree that a step wrote, also when it locked its directories. Symlinks are removed, not followed. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await unlock(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function unlock(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, 0o700);
  for (const child of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
    // A name that is not UTF-8 cannot hide a locked directory: rm itself works on bytes, join would not.
    if (child.isDirectory()) await unlock(join(path, child.name.toString('utf8')));
  }
}
