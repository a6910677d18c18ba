import type { CommandSpec } from '../spec.ts';
import { NEW_TOKEN, TOKEN } from './fields.ts';

export const MANAGE: readonly CommandSpec[] = [
  {
    path: 'token create',
    group: 'Manage',
    summary: 'Create a token; its secret is printed this one time',
    args: [{ name: 'name', about: 'who or what uses it; the ledger says token:<name>' }],
    options: [
      { flag: '--role <role...>', about: 'a role it has everywhere; may be repeated' },
      { flag: '--expires <time>', about: '12h, 30d, never (default: 90d)' },
    ],
    examples: [
      ['slipway token create ci --role releaser --expires 30d', ''],
      ['slipway token create ci --role viewer > ci.token', 'only the token is on stdout'],
    ],
    fields: NEW_TOKEN,
    connects: true,
    load: async () => (await import('../commands/token.ts')).create,
  },
  {
    path: 'token list',
    group: 'Manage',
    summary: 'All tokens, without their secrets',
    examples: [
      ['slipway token list', ''],
      ['slipway token list --jq \'.[] | select(.state == "active") | .name\'', ''],
    ],
    fields: TOKEN,
    connects: true,
    load: async () => (await import('../commands/token.ts')).list,
  },
  {
    path: 'token revoke',
    group: 'Manage',
    summary: 'Revoke a token; it stops working within 5 seconds',
    args: [{ name: 'token', about: 'its id, or the name of the only active one', names: 'token' }],
    examples: [
      ['slipway token revoke ci', 'by name'],
      ['slipway token revoke tok_01k5…', 'by id'],
    ],
    fields: TOKEN,
    connects: true,
    load: async () => (await import('../commands/token.ts')).revoke,
  },
  {
    path: 'config explain',
    group: 'Manage',
    summary: 'Which server and token are used, and why',
    about:
      'A flag comes before the environment, the environment before the data directory, that before the profile file. A token is only ever sent to the address it belongs to. The profile file: {"current": "work", "profiles": {"work": {"url": "https://…", "tokenFile": "work.token"}}}.',
    examples: [
      ['slipway config explain', ''],
      ['slipway config explain --profile work', 'what that flag would change'],
    ],
    fields: ['url', 'urlSource', 'tokenSource', 'profileFile', 'dataDirectory', 'candidates'],
    connects: true,
    load: async () => (await import('../commands/config.ts')).explain,
  },
  {
    path: 'completion',
    group: 'Manage',
    summary: 'Print the completion script of a shell',
    args: [{ name: 'shell', about: 'bash, zsh or fish', names: 'shell' }],
    examples: [
      ['source <(slipway completion bash)', 'in ~/.bashrc'],
      ['slipway completion zsh > ~/.zfunc/_slipway', ''],
      ['slipway completion fish > ~/.config/fish/completions/slipway.fish', ''],
    ],
    fields: [],
    connects: false,
    load: async () => (await import('../commands/completion.ts')).script,
  },
  {
    path: 'version',
    group: 'Manage',
    summary: 'The version of this program',
    examples: [
      ['slipway version', ''],
      ['slipway version --json', 'with the version of the JSON output'],
    ],
    fields: ['version', 'jsonVersion', 'apiVersion', 'node', 'platform'],
    connects: false,
    load: async () => (await import('../commands/version.ts')).version,
  },
];
