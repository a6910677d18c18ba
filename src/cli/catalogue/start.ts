import type { CommandSpec } from '../spec.ts';
import { PLATFORM_APPLIED, PLATFORM_CHECK, REGISTERED } from './fields.ts';

export const START: readonly CommandSpec[] = [
  {
    path: 'up',
    group: 'Start',
    summary: 'Start Slipway here and keep it running until Ctrl-C',
    about:
      'Starts PostgreSQL, server, worker, router and host agent in one data directory. The address goes to stdout; on a terminal a link that signs a browser in follows it.',
    options: [
      {
        flag: '--data <folder>',
        about: 'data directory (default: SLIPWAY_DATA or .slipway)',
        names: 'folder',
      },
      { flag: '--host <address>', about: 'address to listen on (default: 127.0.0.1)' },
      { flag: '--port <number>', about: 'port (default: any free one, then the same again)' },
    ],
    examples: [
      ['slipway up', 'everything in .slipway'],
      ['slipway up --port 4510 --data /srv/slipway', 'a fixed port and place'],
      ['slipway up --json=url', 'the address for a script'],
    ],
    fields: ['url', 'dataDirectory'],
    connects: false,
    load: async () => (await import('../commands/up.ts')).up,
  },
  {
    path: 'init',
    group: 'Start',
    summary: 'Write a first slipway.yaml for the project found here',
    args: [{ name: 'folder', about: 'the project (default: here)', optional: true, names: 'folder' }],
    options: [{ flag: '--dry-run', about: 'print what it would write; write nothing' }],
    examples: [
      ['slipway init', 'look at this folder and write slipway.yaml'],
      ['slipway init ../shop --dry-run', 'only show it'],
    ],
    fields: ['path', 'text', 'findings', 'written'],
    connects: false,
    load: async () => (await import('../commands/init.ts')).init,
  },
  {
    path: 'validate',
    group: 'Start',
    summary: 'Check a slipway.yaml, without any server',
    args: [{ name: 'file', about: 'the file (default: slipway.yaml)', optional: true, names: 'folder' }],
    examples: [
      ['slipway validate', 'the one here'],
      ['slipway validate services/shop/slipway.yaml', 'another one'],
    ],
    fields: ['valid', 'diagnostics'],
    connects: false,
    load: async () => (await import('../commands/init.ts')).validate,
  },
  {
    path: 'register',
    group: 'Start',
    summary: 'Register the service that a repository describes',
    args: [{ name: 'repository', about: 'https, ssh or file address, or a path', names: 'folder' }],
    options: [
      { flag: '--branch <name>', about: 'the trunk (default: main)' },
      { flag: '--name <service>', about: 'the name slipway.yaml must have' },
    ],
    examples: [
      ['slipway register https://git.example.com/shop.git', 'follow its main branch'],
      ['slipway register ../shop --branch trunk', 'a repository on this machine'],
      ['slipway register ../shop --json=hook', 'with the secret for webhooks'],
    ],
    fields: REGISTERED,
    connects: true,
    load: async () => (await import('../commands/register.ts')).register,
  },
  {
    path: 'platform apply',
    group: 'Start',
    summary: 'Put a platform folder in force, if it is sound',
    args: [{ name: 'folder', about: 'YAML files of environments, policies, …', names: 'folder' }],
    options: [
      { flag: '--commit <id>', about: 'the commit the folder is from' },
      { flag: '--dry-run', about: 'check it; change nothing' },
    ],
    examples: [
      ['slipway platform apply platform/', 'environments, strategies, policies, access'],
      ['slipway platform apply platform/ --commit "$(git rev-parse HEAD)"', 'from CI'],
    ],
    fields: PLATFORM_APPLIED,
    connects: true,
    load: async () => (await import('../commands/platform.ts')).apply,
  },
  {
    path: 'platform validate',
    group: 'Start',
    summary: 'Say what is wrong with a platform folder',
    about: 'Runs the tests inside the policies too. Exit code 2 when something is wrong.',
    args: [{ name: 'folder', about: 'the folder', names: 'folder' }],
    examples: [
      ['slipway platform validate platform/', 'as file:line:column: what'],
      ['slipway platform validate platform/ --json=diagnostics', 'for an editor'],
    ],
    fields: PLATFORM_CHECK,
    connects: true,
    load: async () => (await import('../commands/platform.ts')).validate,
  },
];
