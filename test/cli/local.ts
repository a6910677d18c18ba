import type { Local } from '../../src/cli/local.ts';
import { SlipwayError } from '../../src/kernel/errors.ts';

/** The outside of the CLI for tests that need no installation: `installed` is what runs in the data directory. */
export function fakeLocal(
  installed: { url: string; token: string | null } | null,
  rest: Partial<Local> = {},
): { local: Local } {
  return {
    local: {
      up: () => Promise.reject(new SlipwayError('internal', 'nothing is started here')),
      async connection(data) {
        if (installed === null || data === '/nowhere')
          throw new SlipwayError('unreachable', `no Slipway has run in ${data ?? '.slipway'}`);
        return installed;
      },
      dataDirectory: (data) => data ?? '/here/.slipway',
      init: () => Promise.reject(new SlipwayError('internal', 'nothing is written here')),
      readServiceConfig: async () => ({ config: null, diagnostics: [] }),
      version: async () => '0.0.0-test',
      ...rest,
    },
  };
}
