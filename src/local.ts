import { readFile } from 'node:fs/promises';
import type { Local } from './cli/local.ts';
import { chooseDataDirectory, readRuntime } from './platform/data-directory.ts';
import type { Up } from './up/up.ts';

export type { Local };

/** What the CLI is handed; see `Local`. Loaded piece by piece: a short command does not wait for what it does not use. */
export const local = {
  async up({ data, ...options }: Parameters<Local['up']>[0]): Promise<Up> {
    const [{ up }, { createLogger }] = await Promise.all([import('./up/up.ts'), import('./platform/log.ts')]);
    return up({ ...options, data: chooseDataDirectory(data), log: createLogger('up') });
  },
  async connection(flag: string | undefined) {
    const data = chooseDataDirectory(flag);
    const { server } = await readRuntime(data);
    const token = await readFile(data.adminTokenFile, 'utf8').catch(() => null);
    return { url: `http://${reachable(server.host)}:${server.port}`, token: token?.trim() ?? null };
  },
  dataDirectory: (flag: string | undefined) => chooseDataDirectory(flag).root,
  async init(directory: string, { dryRun }: { dryRun: boolean }) {
    const { initServiceConfig, proposeServiceConfig } = await import('./support/config/init/init.ts');
    return dryRun ? proposeServiceConfig(directory) : initServiceConfig(directory);
  },
  async readServiceConfig(file: string, content: Uint8Array) {
    const { parseServiceConfig } = await import('./support/config/service.ts');
    return parseServiceConfig(file, content);
  },
  async version() {
    // Beside `src` in a checkout, one folder higher in the package, where this file is dist/src/local.js.
    for (const path of ['../package.json', '../../package.json']) {
      const text = await readFile(new URL(path, import.meta.url), 'utf8').catch(() => null);
      const found = text === null ? null : (JSON.parse(text) as { name?: string; version?: string });
      if (found?.name === 'slipway' && found.version) return found.version;
    }
    return 'unknown';
  },
} satisfies Local;

/** An address to dial for an address that is listened on. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
