import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { local } from '../../../src/local.ts';
import { type Api, createApi } from '../demo/api.ts';

/** A whole Slipway in a directory of its own for the time of `work`; then it is stopped and the directory removed. */
export async function withInstallation<Result>(
  work: (installation: { api: Api; home: string }) => Promise<Result>,
): Promise<Result> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const data = join(home, 'data');
  try {
    const up = await local.up({ data, host: '127.0.0.1', port: 0, progress: () => {} });
    try {
      const token = (await readFile(join(data, 'run', 'admin-token'), 'utf8')).trim();
      return await work({ api: createApi(up.url, token), home });
    } finally {
      await up.stop();
    }
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
