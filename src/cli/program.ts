import { Command, CommanderError, Option } from 'commander';
import { COMMANDS } from './catalogue/all.ts';
import { usage } from './errors.ts';
import { commandHelp, groupHelp, optionsOf, rootHelp } from './help.ts';
import type { CommandSpec, Input } from './spec.ts';
import { closest } from './suggest.ts';

/** What a command line asks for. */
export type Parsed =
  | { kind: 'run'; spec: CommandSpec; input: Input; options: Readonly<Record<string, unknown>> }
  | { kind: 'text'; text: string }
  | { kind: 'version' };

/** Reads a command line. Throws `usage` for one that does not fit. */
export async function parseCommandLine(argv: readonly string[]): Promise<Parsed> {
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : withBareJson(argv);
  if (words.length === 0 || words[0] === '-h') return { kind: 'text', text: rootHelp(COMMANDS) };
  if (words[0] === '--version' || words[0] === '-V') return { kind: 'version' };
  if (words.includes('--help') || words.includes('-h')) assertKnown(words);
  let parsed: Parsed | null = null;
  let text = '';
  const program = build(
    (found) => {
      parsed = found;
    },
    (written) => {
      text += written;
    },
  );
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return { kind: 'text', text };
    throw explain(error, words);
  }
  if (parsed === null) throw usage('no command was given', 'slipway --help');
  return parsed;
}

/** Help for a command that does not exist is an error too; commander would show the help of the level above. */
function assertKnown(words: readonly string[]): void {
  const [first = '', second = ''] = words;
  const paths = COMMANDS.map(({ path }) => path);
  const known = (name: string) => paths.some((path) => path === name || path.startsWith(`${name} `));
  const unknown = (name: string, among: readonly string[]) => {
    const meant = closest(name, among);
    return usage(`unknown command '${name}'`, meant ? `did you mean slipway ${meant}?` : 'slipway --help');
  };
  if (first.startsWith('-')) return;
  if (!known(first)) throw unknown(first, [...paths, ...paths.map((path) => path.split(' ')[0] ?? '')]);
  if (!paths.includes(first) && !second.startsWith('-') && second !== '' && !known(`${first} ${second}`))
    throw unknown(`${first} ${second}`, paths);
}

/** `--json shop` asks for JSON about shop; only `--json=shop` names a field. */
function withBareJson(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((word, index) => (word === '--json' && (end < 0 || index < end) ? '--json=' : word));
}

function build(found: (parsed: Parsed) => void, write: (text: string) => void): Command {
  const program = configure(new Command('slipway'), () => rootHelp(COMMANDS), write);
  for (const flag of [
    '--url <address>',
    '--data <folder>',
    '--profile <name>',
    '--token-file <file>',
    '--jq <filter>',
    '--json [fields]',
  ])
    program.addOption(new Option(flag));
  const groups = new Map<string, Command>();
  for (const spec of COMMANDS) {
    const [first = '', second] = spec.path.split(' ');
    let parent = program;
    if (second !== undefined) {
      parent = groups.get(first) ?? addGroup(program, first, write);
      groups.set(first, parent);
    }
    parent.addCommand(toCommand(spec, second ?? first, program, found, write));
  }
  return program;
}

function addGroup(program: Command, name: string, write: (text: string) => void): Command {
  const members = COMMANDS.filter(({ path }) => path.startsWith(`${name} `));
  const group = configure(new Command(name), () => groupHelp(name, members), write);
  program.addCommand(group);
  return group;
}

function configure(command: Command, help: () => string, write: (text: string) => void): Command {
  return command
    .exitOverride()
    .helpCommand(false)
    .configureHelp({ formatHelp: help })
    .configureOutput({ writeOut: write, writeErr: () => {}, outputError: () => {} });
}

function toCommand(
  spec: CommandSpec,
  name: string,
  program: Command,
  found: (parsed: Parsed) => void,
  write: (text: string) => void,
): Command {
  const command = configure(new Command(name), () => commandHelp(spec), write);
  for (const { name: argument, about, optional } of spec.args ?? [])
    command.argument(optional ? `[${argument}]` : `<${argument}>`, about);
  for (const { flag } of optionsOf(spec)) command.addOption(new Option(flag));
  if (spec.fields.length > 0)
    command.addOption(new Option('--json [fields]')).addOption(new Option('--jq <filter>'));
  return command.action(() => {
    const options = { ...program.opts(), ...command.opts() };
    found({ kind: 'run', spec, input: toInput(command.processedArgs, options), options });
  });
}

function toInput(args: readonly unknown[], options: Readonly<Record<string, unknown>>): Input {
  const value = (option: string) =>
    options[option.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
  return {
    args: args.map((arg) => (typeof arg === 'string' ? arg : undefined)),
    text(option) {
      const found = value(option);
      return typeof found === 'string' ? found : undefined;
    },
    // Commander turns `--no-wait` into `wait: false`.
    flag: (option) => (option.startsWith('no-') ? value(option.slice(3)) === false : value(option) === true),
    list(option) {
      const found = value(option);
      return Array.isArray(found) ? found.map(String) : [];
    },
  };
}

/** Commander's complaints in our words: what is wrong, and the command that was meant or that helps. */
function explain(error: CommanderError, words: readonly string[]): Error {
  const meant = /\(Did you mean (.+?)\?\)/s.exec(error.message)?.[1];
  const message = error.message
    .replace(/\n?\(Did you mean .+\?\)/s, '')
    .replace(/^error: /, '')
    .trim();
  const group = COMMANDS.find(({ path }) => path.startsWith(`${words[0]} `)) ? words[0] : undefined;
  const command = COMMANDS.find(({ path }) => words.join(' ').startsWith(path))?.path ?? group;
  const help = `slipway ${command === undefined ? '' : `${command} `}--help`;
  if (error.code === 'commander.help')
    return usage(`"slipway${command === undefined ? '' : ` ${command}`}" needs a command`, help);
  return usage(message, meant === undefined ? help : `did you mean ${suggestion(meant, error.code, group)}?`);
}

function suggestion(meant: string, code: string, group: string | undefined): string {
  if (code !== 'commander.unknownCommand') return meant.replace(/^one of /, '');
  return `slipway ${group === undefined ? '' : `${group} `}${meant.replace(/^one of /, '')}`;
}
