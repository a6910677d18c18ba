import { optionsOf } from '../help.ts';
import type { CommandSpec, NameKind } from '../spec.ts';

/** What may stand at the cursor. */
export type Wanted =
  | { kind: 'words'; words: readonly (readonly [string, string])[] }
  | {
      kind: 'names';
      of: NameKind;
      /** Stands before each name: `--confirm=`. */
      prefix: string;
      /** The part of the name that is there already. */
      partial: string;
      /** Arguments given before: the service whose releases are wanted. */
      args: readonly string[];
    }
  | { kind: 'nothing' };

/** Reads the words before the cursor; the last is the one being typed. Pure. */
export function planCompletion(commands: readonly CommandSpec[], typed: readonly string[]): Wanted {
  const current = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const named = before.filter((word) => !word.startsWith('-'));
  const spec =
    commands.find(({ path }) => path === named.slice(0, 2).join(' ')) ??
    commands.find(({ path }) => path === named[0]);
  if (!spec) return { kind: 'words', words: fitting(nextWords(commands, named), current) };
  const options = optionsWith(spec);
  const [name, ...value] = current.split('=');
  if (current.startsWith('--') && value.length > 0) {
    const option = options.find(({ flag }) => flag === name);
    return option?.names
      ? {
          kind: 'names',
          of: option.names,
          prefix: `${name}=`,
          partial: value.join('='),
          args: argsOf(spec, before, options),
        }
      : { kind: 'nothing' };
  }
  const last = options.find(({ flag, takesValue }) => takesValue && flag === before.at(-1));
  if (last)
    return last.names
      ? { kind: 'names', of: last.names, prefix: '', partial: current, args: argsOf(spec, before, options) }
      : { kind: 'nothing' };
  if (current.startsWith('-'))
    return {
      kind: 'words',
      words: fitting(
        options.map(({ flag, about }) => [flag, about] as const),
        current,
      ),
    };
  const args = argsOf(spec, before, options);
  const argument = spec.args?.[args.length];
  return argument?.names
    ? { kind: 'names', of: argument.names, prefix: '', partial: current, args }
    : { kind: 'nothing' };
}

interface Option {
  flag: string;
  about: string;
  takesValue: boolean;
  names: NameKind | undefined;
}

function optionsWith(spec: CommandSpec): Option[] {
  const shared: Option[] = optionsOf(spec).map(({ name, takesValue, flag }) => {
    const own = spec.options?.find((option) => option.flag === flag);
    return {
      flag: `--${name}`,
      about: own?.about ?? '',
      takesValue,
      names: own?.names ?? (name === 'data' || name === 'token-file' ? 'folder' : undefined),
    };
  });
  const plain = (flag: string, about: string): Option => ({
    flag,
    about,
    takesValue: false,
    names: undefined,
  });
  const json =
    spec.fields.length > 0
      ? [plain('--json', 'the result as JSON'), { ...plain('--jq', 'through jq'), takesValue: true }]
      : [];
  return [...shared, ...json, plain('--help', 'help for the command')];
}

/** The arguments among the words: without the command, options, and options' values. */
function argsOf(spec: CommandSpec, before: readonly string[], options: readonly Option[]): string[] {
  const args: string[] = [];
  for (let i = 0; i < before.length; i++) {
    const word = before[i] as string;
    if (!word.startsWith('-')) args.push(word);
    else if (options.some(({ flag, takesValue }) => flag === word && takesValue)) i++;
  }
  return args.slice(spec.path.split(' ').length);
}

function nextWords(
  commands: readonly CommandSpec[],
  named: readonly string[],
): (readonly [string, string])[] {
  const words = new Map<string, string>();
  for (const { path, summary } of commands) {
    const [first = '', second] = path.split(' ');
    if (named.length === 0 && !words.has(first))
      words.set(first, second === undefined ? summary : `${first} …`);
    if (named.length === 1 && named[0] === first && second !== undefined) words.set(second, summary);
  }
  return [...words];
}

function fitting(words: readonly (readonly [string, string])[], current: string) {
  return words.filter(([word]) => word.startsWith(current));
}
