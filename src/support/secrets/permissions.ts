import { lstat, mkdir } from 'node:fs/promises';
import { SlipwayError } from '../../kernel/errors.ts';

/** Makes the directory for its owner alone, or refuses one that others can enter. */
export async function privateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await refuseIfShared(path, 'directory', '700');
}

/** Refuses a symbolic link, another owner's file, and one that group or others can touch. */
export async function refuseIfShared(path: string, kind: 'directory' | 'file', want: string): Promise<void> {
  const stat = await lstat(path);
  const rightKind = kind === 'directory' ? stat.isDirectory() : stat.isFile();
  if (!rightKind) {
    throw new SlipwayError('forbidden', `${path} is not a ${kind}; the keyring does not follow links`, {
      hint: `Put the ${kind} itself there.`,
    });
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(3, '0');
    throw new SlipwayError(
      'forbidden',
      `${path} has mode ${mode}: others on this machine can reach the keyring`,
      {
        hint: `Run: chmod ${want} ${path}`,
      },
    );
  }
  const uid = process.getuid?.();
  if (uid !== undefined && stat.uid !== uid) {
    throw new SlipwayError('forbidden', `${path} belongs to user ${stat.uid}, not to ${uid} who opens it`, {
      hint: `Run as its owner, or: chown ${uid} ${path}`,
    });
  }
}
