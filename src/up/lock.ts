import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';
import type { DataDirectory } from '../platform/data-directory.ts';

/** One supervisor a data directory. A lock whose owner is gone is taken over. */
export async function lockDirectory(data: DataDirectory): Promise<() => Promise<void>> {
  const path = join(data.run, 'up.pid');
  const mine = `${process.pid} ${await startTime(process.pid)}\n`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(path, mine, { flag: 'wx', mode: 0o600 });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
      const [pid, started] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ');
      if (pid && started && (await startTime(Number(pid))) === started) {
        throw new SlipwayError('invalid_state', `a Slipway (pid ${pid}) runs in ${data.root}`, {
          hint: 'stop it first, or use another --data directory',
        });
      }
      await rm(path, { force: true });
    }
  }
  throw new SlipwayError('conflict', `another Slipway is starting in ${data.root}`);
}

/** Start time from /proc, so that a recycled pid is not taken for the owner; the pid alone where there is no /proc. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat !== null) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '?';
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return 'gone';
  }
}
