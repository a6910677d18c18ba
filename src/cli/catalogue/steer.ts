import type { CommandSpec } from '../spec.ts';
import { WATCH_OPTIONS } from './deliver.ts';
import { PROMOTION, ROLLOUT, WATCH } from './fields.ts';

const ROLLOUT_ARGUMENT = {
  name: 'rollout',
  about: 'its id, or service/environment',
  names: 'lane-or-rollout',
} as const;

const REQUESTS = {
  pause: ['Hold a rollout where it is', 'alerts look odd'],
  resume: ['Go on after a pause or a manual step', 'looks good'],
  abort: ['Turn a rollout back to the old version', 'customers report errors'],
} as const;

export const STEER: readonly CommandSpec[] = [
  {
    path: 'rollout list',
    group: 'Steer',
    summary: 'Rollouts, newest first',
    options: [
      { flag: '--service <name>', about: 'of one service', names: 'service' },
      { flag: '--environment <name>', about: 'in one environment', names: 'environment' },
      { flag: '--active', about: 'only those that run' },
      { flag: '--limit <n>', about: 'at most this many (default: 20)' },
    ],
    examples: [
      ['slipway rollout list --active', 'what moves now'],
      ['slipway rollout list --service shop --json=id,outcome', 'for a script'],
    ],
    fields: ROLLOUT,
    connects: true,
    load: async () => (await import('../commands/rollout.ts')).list,
  },
  {
    path: 'rollout show',
    group: 'Steer',
    summary: 'One rollout as it stands',
    args: [ROLLOUT_ARGUMENT],
    examples: [
      ['slipway rollout show shop/prod', 'the latest there'],
      ['slipway rollout show rol_01k5… --json=phase,weights', 'by id'],
    ],
    fields: ROLLOUT,
    connects: true,
    load: async () => (await import('../commands/rollout.ts')).show,
  },
  {
    path: 'rollout watch',
    group: 'Steer',
    summary: 'Follow a rollout until it has ended',
    about:
      'Says on stderr what changes and on stdout, once, how it ended; with --json one JSON object per change on stdout. Survives a restart of the server. Exit codes: 0 succeeded, 5 rolled back, 3 aborted, 1 failed, 8 paused and 7 moving when --timeout ran out.',
    args: [ROLLOUT_ARGUMENT],
    options: WATCH_OPTIONS,
    examples: [
      ['slipway rollout watch shop/prod', 'the one there'],
      ['slipway rollout watch shop/prod --timeout 30m --fail-fast', 'in CI'],
      ['slipway rollout watch shop/prod --json=event,phase,weights', 'as NDJSON'],
    ],
    fields: [...WATCH, ...ROLLOUT],
    connects: true,
    load: async () => (await import('../commands/rollout-watch.ts')).watch,
  },
  ...(['pause', 'resume', 'abort'] as const).map(
    (kind): CommandSpec => ({
      path: `rollout ${kind}`,
      group: 'Steer',
      summary: REQUESTS[kind][0],
      ...(kind === 'abort'
        ? {
            about:
              'In production it shows what will happen and wants the name of the environment, typed or as --confirm.',
          }
        : {}),
      args: [ROLLOUT_ARGUMENT],
      options: [
        { flag: '--reason <text>', about: 'why; kept in the ledger' },
        ...(kind === 'abort'
          ? [
              {
                flag: '--confirm <environment>',
                about: 'the name, for production',
                names: 'environment',
              } as const,
              { flag: '--dry-run', about: 'show what would happen; change nothing' },
            ]
          : []),
      ],
      examples: [
        [`slipway rollout ${kind} shop/dev --reason "${REQUESTS[kind][1]}"`, ''],
        kind === 'abort'
          ? ['slipway rollout abort shop/prod --confirm=prod', 'without being asked']
          : [`slipway rollout ${kind} rol_01k5…`, 'by id'],
      ],
      fields: ROLLOUT,
      connects: true,
      load: async () => (await import('../commands/rollout-request.ts'))[kind],
    }),
  ),
  {
    path: 'rollback',
    group: 'Steer',
    summary: 'Return to an earlier version',
    about:
      'Shows the versions it could return to, each safe or unsafe and why, and takes the latest safe one unless --to names another. In production it wants the name of the environment, typed or as --confirm. The way back is a rollout and a ledger entry like any other.',
    args: [
      { name: 'service', about: 'the service', names: 'service' },
      { name: 'environment', about: 'where', names: 'environment' },
    ],
    options: [
      { flag: '--to <release>', about: 'a release number, id or digest', names: 'release' },
      { flag: '--reason <text>', about: 'why; kept in the ledger' },
      { flag: '--confirm <environment>', about: 'the name, for production', names: 'environment' },
      { flag: '--unsafe', about: 'also to a version that is said to be unsafe' },
      { flag: '--dry-run', about: 'show the plan; change nothing' },
      { flag: '--watch', about: 'follow it until it has ended' },
      ...WATCH_OPTIONS,
    ],
    examples: [
      ['slipway rollback shop prod --dry-run', 'where could it go back to?'],
      ['slipway rollback shop prod --confirm=prod --watch', 'the latest safe version'],
      ['slipway rollback shop dev --to 11 --reason "slow search"', 'a certain one'],
    ],
    fields: [...PROMOTION, ...WATCH, 'targets', 'chosen'],
    connects: true,
    load: async () => (await import('../commands/rollback.ts')).rollback,
  },
  {
    path: 'logs',
    group: 'Steer',
    summary: 'What an instance, or a build, wrote',
    about: 'Logs outlive a rollback: those of stopped instances can still be read.',
    args: [
      { name: 'service', about: 'the service, or the id of a build', names: 'service' },
      { name: 'environment', about: 'where', optional: true, names: 'environment' },
      { name: 'instance', about: 'the instance', optional: true, names: 'instance' },
    ],
    options: [
      { flag: '--tail <n>', about: 'lines of an instance from the end (default: 200)' },
      { flag: '--step <name>', about: 'one step of a build' },
      { flag: '--follow', about: 'stay until the build has ended' },
    ],
    examples: [
      ['slipway logs shop prod 01k5…-c0 --tail 50', 'an instance'],
      ['slipway logs bld_01k5… --step test', 'a step of a build'],
    ],
    fields: ['instance', 'text'],
    connects: true,
    load: async () => (await import('../commands/logs.ts')).logs,
  },
];
