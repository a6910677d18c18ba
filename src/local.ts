import { readFile } from 'node:fs/promises';
import { chooseDataDirectory, readRuntime } from './platform/data-directory.ts';
import { createLogger } from './platform/log.ts';
import { type Up, up } from './up/up.ts';

/**
 * What the CLI does on this machine and not through the API: start an installation, write a first configuration, find the
 * local installation's address and token. The CLI is handed these; it imports nothing of the product itself.
 */
export interface Local {
  up(options: {
    data: string | undefined;
    host: string;
    port: number;
    progress(message: string): void;
    signal?: AbortSignal;
  }): Promise<Up>;
  connection(data: string | undefined): Promise<{ url: string; token: string | null }>;
}

export const local: Local = {
  up: ({ data, ...options }) => up({ ...options, data: chooseDataDirectory(data), log: createLogger('up') }),
  async connection(flag) {
    const data = chooseDataDirectory(flag);
    const { server } = await readRuntime(data);
    const token = await readFile(data.adminTokenFile, 'utf8').catch(() => null);
    return { url: `http://127.0.0.1:${server.port}`, token: token?.trim() ?? null };
  },
};
