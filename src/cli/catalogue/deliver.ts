import type { CommandSpec, OptionSpec } from '../spec.ts';
import { BUILD, PROMOTION, RELEASE, SERVICE_STATUS, WATCH } from './fields.ts';

export const WATCH_OPTIONS: readonly OptionSpec[] = [
  { flag: '--timeout <time>', about: 'stop watching after this: 90s, 10m (default: 1h)' },
  { flag: '--fail-fast', about: 'stop at the first bad news, not at the very end' },
];

export const DELIVER: readonly CommandSpec[] = [
  {
    path: 'status',
    group: 'Deliver',
    summary: 'What runs where; what moves, waits, or is blocked',
    args: [{ name: 'service', about: 'one service in detail', optional: true, names: 'service' }],
    examples: [
      ['slipway status', 'services by environments'],
      ['slipway status shop', 'one service'],
      ["slipway status --jq '.[] | .name'", 'names for a script'],
    ],
    fields: SERVICE_STATUS,
    connects: true,
    load: async () => (await import('../commands/status.ts')).status,
  },
  {
    path: 'release',
    group: 'Deliver',
    summary: 'Build a commit and carry it through the environments',
    args: [
      { name: 'service', about: 'the service', names: 'service' },
      { name: 'commit', about: "a commit id, branch or tag (default: the service's branch)", optional: true },
    ],
    options: [{ flag: '--watch', about: 'follow it until it has ended everywhere' }, ...WATCH_OPTIONS],
    examples: [
      ['slipway release shop', 'the head of its branch'],
      ['slipway release shop v1.4.0 --watch', 'a tag, followed to the end'],
      ['slipway release shop 3f2a9c1 --watch --fail-fast --timeout 20m', 'in CI'],
    ],
    fields: [...RELEASE, ...WATCH],
    connects: true,
    load: async () => (await import('../commands/release.ts')).release,
  },
  {
    path: 'build',
    group: 'Deliver',
    summary: 'Build a commit, with its log; or build it twice, to compare',
    about:
      'Without --verify this is the build of the release of the commit, which goes on through the environments as the platform says. With --verify nothing is released. The log goes to stderr, the result to stdout. Exit codes of --verify: 0 identical, 5 diverged, 8 inconclusive.',
    args: [
      { name: 'service', about: 'the service', names: 'service' },
      { name: 'commit', about: 'a commit id, branch or tag' },
    ],
    options: [
      { flag: '--verify', about: 'build twice under varied conditions; give the verdict' },
      { flag: '--timeout <time>', about: 'stop waiting after this (default: 1h)' },
    ],
    examples: [
      ['slipway build shop main', 'build, with the log'],
      ['slipway build shop 3f2a9c1 --verify', 'is it reproducible?'],
      ['slipway build shop main --json=digest,cacheHits', 'only these facts'],
    ],
    fields: BUILD,
    connects: true,
    load: async () => (await import('../commands/build.ts')).build,
  },
  {
    path: 'promote',
    group: 'Deliver',
    summary: 'Bring a release to an environment',
    about:
      'Waits for the answer of the gate. Exit code 5 when policy or evidence refuses it, 8 when a person has to approve it first; with --watch the code tells how it ended.',
    args: [
      { name: 'service', about: 'the service', names: 'service' },
      { name: 'environment', about: 'where to', names: 'environment' },
    ],
    options: [
      { flag: '--release <number>', about: 'a release, by number or id', names: 'release' },
      { flag: '--digest <digest>', about: 'or an image in the registry' },
      { flag: '--hotfix', about: 'passes waits that only planned changes have' },
      { flag: '--reason <text>', about: 'why; kept in the ledger' },
      { flag: '--no-wait', about: 'do not wait for the gate' },
      { flag: '--watch', about: 'follow it until it has ended' },
      { flag: '--dry-run', about: 'say what would change; change nothing' },
      ...WATCH_OPTIONS,
    ],
    examples: [
      ['slipway promote shop staging --release 12', 'by number'],
      ['slipway promote shop prod --release 12 --watch --timeout 30m', 'and follow'],
      ['slipway promote shop dev --digest sha256:9f…', 'any image; the gate judges it'],
    ],
    fields: [...PROMOTION, ...WATCH],
    connects: true,
    load: async () => (await import('../commands/promote.ts')).promote,
  },
  ...(['approve', 'reject'] as const).map(
    (kind): CommandSpec => ({
      path: kind,
      group: 'Deliver',
      summary:
        kind === 'approve'
          ? 'Say yes to a promotion that waits for approval'
          : 'Say no to a promotion; it ends',
      about: 'The answer holds for exactly this commit, digest, environment and policy.',
      args: [{ name: 'promotion', about: 'its id, or service/environment', names: 'lane-or-promotion' }],
      options: [
        { flag: '--reason <text>', about: 'why; kept in the ledger' },
        { flag: '--dry-run', about: 'show what it is about; answer nothing' },
      ],
      examples: [
        [
          `slipway ${kind} shop/prod --reason "${kind === 'approve' ? 'looked at the diff' : 'not before the sale'}"`,
          'what waits there',
        ],
        [`slipway ${kind} pro_01k5…`, 'by id'],
      ],
      fields: PROMOTION,
      connects: true,
      load: async () => (await import('../commands/approve.ts'))[kind],
    }),
  ),
];
