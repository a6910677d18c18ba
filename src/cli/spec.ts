import type { Context } from './context.ts';

/** Kinds of names that completion can look up. */
export type NameKind =
  | 'service'
  | 'environment'
  | 'rollout'
  | 'lane-or-rollout'
  | 'promotion'
  | 'lane-or-promotion'
  | 'release'
  | 'token'
  | 'folder'
  | 'shell'
  | 'instance';

export interface ArgumentSpec {
  name: string;
  about: string;
  optional?: true;
  names?: NameKind;
}

export interface OptionSpec {
  /** `--to <release>`, or `--watch` for a switch. */
  flag: string;
  about: string;
  names?: NameKind;
}

/** What a command got: arguments in order, options by their long name without the dashes. */
export interface Input {
  args: readonly (string | undefined)[];
  text(option: string): string | undefined;
  flag(option: string): boolean;
  /** A repeatable option's values. */
  list(option: string): readonly string[];
}

/** Gives the exit code. Failures are thrown. */
export type Run = (context: Context, input: Input) => Promise<number>;

/** One command: everything but its code, which is loaded when it runs. */
export interface CommandSpec {
  /** `rollout watch`. */
  path: string;
  group: 'Start' | 'Deliver' | 'Steer' | 'Prove' | 'Manage';
  /** One line. */
  summary: string;
  /** More, for the command's own help. */
  about?: string;
  args?: readonly ArgumentSpec[];
  options?: readonly OptionSpec[];
  /** A command line and what it is good for. */
  examples: readonly (readonly [string, string])[];
  /** Fields of its JSON; empty for commands without. */
  fields: readonly string[];
  /** It talks to a server, and takes the connection flags. */
  connects: boolean;
  load(): Promise<Run>;
}

/** Names of an option: `--to <release>` is `to`, taking a value. */
export function optionName({ flag }: OptionSpec): { name: string; takesValue: boolean; repeats: boolean } {
  const [, name = '', value] = /^--([a-z-]+)(?: (<.+>))?$/.exec(flag) ?? [];
  return { name, takesValue: value !== undefined, repeats: value?.endsWith('...>') ?? false };
}
