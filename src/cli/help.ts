import { wrap } from './output/table.ts';
import { type CommandSpec, optionName } from './spec.ts';

/** Help as people read it: what it is, examples, then the rest. No line is longer than 80 columns. */
const WIDTH = 80;

const CONNECTION = [
  ['--url <address>', 'the server (else SLIPWAY_URL, the data directory, a profile)'],
  ['--data <folder>', 'the installation in this data directory'],
  ['--profile <name>', 'a server of ~/.config/slipway/config.json'],
  ['--token-file <file>', 'a file that holds the token; - for stdin'],
] as const;

const JSON_OPTIONS = [
  ['--json[=a,b]', 'JSON on stdout: all fields, or only these'],
  ['--jq <filter>', 'the JSON through jq'],
] as const;

export const EXIT_CODES =
  '0 ok, 1 internal or failed, 2 usage, 3 cancelled, 4 not authorized, 5 refused by policy or evidence, 6 not found, 7 timed out, 8 pending or paused, 9 unreachable, 130 interrupted';

export function commandHelp(spec: CommandSpec): string {
  const { args = [], options = [] } = spec;
  const usage = [
    `slipway ${spec.path}`,
    ...args.map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`)),
    '[options]',
  ];
  return sections([
    ['', wrap(spec.summary, WIDTH) + (spec.about ? `\n\n${wrap(spec.about, WIDTH)}` : '')],
    ['Examples', examples(spec.examples)],
    ['Usage', `  ${usage.join(' ')}`],
    ['Arguments', columns(args.map(({ name, about }) => [name, about]))],
    [
      'Options',
      columns([
        ...options.map(({ flag, about }) => [flag, about] as const),
        ...(spec.fields.length > 0 ? JSON_OPTIONS : []),
      ]),
    ],
    ['Connection', spec.connects ? columns(CONNECTION) : ''],
    ['JSON fields', spec.fields.length > 0 ? wrap(spec.fields.join(', '), WIDTH, '  ') : ''],
  ]);
}

export function groupHelp(name: string, members: readonly CommandSpec[]): string {
  return sections([
    ['Examples', examples(members.flatMap((spec) => spec.examples.slice(0, 1)))],
    ['Usage', `  slipway ${name} <command> [options]`],
    ['Commands', columns(members.map(({ path, summary }) => [path, summary]))],
    ['', 'More about one: slipway help <command>'],
  ]);
}

const TITLES: Readonly<Record<CommandSpec['group'], string>> = {
  Start: 'Start',
  Deliver: 'Deliver',
  Steer: 'Watch and steer',
  Prove: 'Prove',
  Manage: 'Manage',
};

export function rootHelp(commands: readonly CommandSpec[]): string {
  const groups = Object.entries(TITLES).map(([group, title]): [string, string] => [
    title,
    columns(
      commands.filter((spec) => spec.group === group).map(({ path, summary }) => [path, summary]),
      20,
    ),
  ]);
  return sections([
    ['', 'Slipway carries a commit to production, under policy and with proof.'],
    [
      'Examples',
      examples([
        ['slipway up', 'start everything here'],
        ['slipway register ../shop', 'follow a repository'],
        ['slipway release shop --watch', 'build a commit and bring it out'],
        ['slipway why shop/prod', 'what runs there, and why'],
      ]),
    ],
    ['Usage', '  slipway <command> [options]'],
    ...groups,
    [
      'Options of every command',
      columns([
        ...JSON_OPTIONS,
        ...CONNECTION,
        ['--help', 'help for the command'],
        ['--version', 'the version'],
      ]),
    ],
    ['Exit codes', wrap(EXIT_CODES, WIDTH, '  ')],
    ['', 'More about one: slipway help <command>'],
  ]);
}

function sections(parts: readonly (readonly [string, string])[]): string {
  return `${parts
    .filter(([, body]) => body !== '')
    .map(([title, body]) => (title === '' ? body : `${title}:\n${body}`))
    .join('\n\n')}\n`;
}

/** Comment beside the command where it fits, else above it. */
function examples(list: CommandSpec['examples']): string {
  const width = Math.max(...list.map(([command]) => command.length));
  return list
    .map(([command, comment]) => {
      if (comment === '') return `  $ ${command}`;
      const beside = `  $ ${command.padEnd(width)}  # ${comment}`;
      return beside.length <= WIDTH ? beside : `  # ${comment}\n  $ ${command}`;
    })
    .join('\n');
}

function columns(rows: readonly (readonly [string, string])[], least = 0): string {
  const width = Math.max(least, ...rows.map(([left]) => left.length));
  return rows
    .map(([left, right]) => {
      const [first = '', ...rest] = wrap(right, WIDTH - width - 4).split('\n');
      return [
        `  ${left.padEnd(width)}  ${first}`,
        ...rest.map((line) => `${' '.repeat(width + 4)}${line}`),
      ].join('\n');
    })
    .join('\n');
}

/** The options a command takes, with what commander needs to know of them. */
export function optionsOf(
  spec: CommandSpec,
): readonly { flag: string; name: string; takesValue: boolean; repeats: boolean }[] {
  const own = (spec.options ?? []).map((option) => ({ flag: option.flag, ...optionName(option) }));
  const shared = spec.connects
    ? ['--url <address>', '--data <folder>', '--profile <name>', '--token-file <file>']
    : [];
  return [...own, ...shared.map((flag) => ({ flag, ...optionName({ flag, about: '' }) }))];
}
