import { runCli } from '../../src/cli/main.ts';
import { local } from '../../src/local.ts';
import { createIo } from '../cli/io.ts';
import type { Normalizer } from './normalize.ts';

/** What a session runs in. */
export interface World {
  cwd: string;
  env: Readonly<Record<string, string>>;
  normalizer: Normalizer;
  /** `@ commit 2`: things that happen beside the command line. */
  happen(what: string): Promise<void>;
}

/**
 * Runs a session's file and writes it anew. Lines that begin with `$ ` are commands, with `@ ` things that happen, with
 * `// ` remarks; everything else is what came out: stdout as it is, stderr behind `! `, then the exit code when it is not 0.
 * `2>/dev/null` at the end of a command leaves its stderr out.
 */
export async function replay(text: string, world: World): Promise<string> {
  const blocks: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('// ')) blocks.push(line);
    if (line.startsWith('@ ')) {
      await world.happen(line.slice(2));
      blocks.push(line);
    }
    if (line.startsWith('$ ')) blocks.push(`${line}\n${await runLine(line.slice(2), world)}`.trimEnd());
  }
  return `${blocks.join('\n\n')}\n`;
}

const COMMAND_MS = 60_000;

async function runLine(line: string, { cwd, env, normalizer }: World): Promise<string> {
  const quiet = line.endsWith(' 2>/dev/null');
  const words = splitWords(normalizer.restore(quiet ? line.slice(0, -' 2>/dev/null'.length) : line));
  const variables: Record<string, string> = {};
  while (/^[A-Z_]+=/.test(words[0] ?? '')) {
    const [name = '', ...value] = (words.shift() as string).split('=');
    variables[name] = value.join('=');
  }
  if (words.shift() !== 'slipway') throw new Error(`a session runs only slipway: ${line}`);
  let all = '';
  const io = createIo({
    cwd,
    env: { ...env, ...variables },
    onStdout(written) {
      all += written;
    },
    onStderr(written) {
      if (!quiet) all += written.replace(/^(?=.)/gm, '! ');
    },
  });
  const late = setTimeout(() => io.interrupt(new Error(`${line} takes too long`)), COMMAND_MS);
  const code = await runCli(words, { local }, io);
  clearTimeout(late);
  return normalizer.normalize(`${all}${code === 0 ? '' : `[exit ${code}]\n`}`);
}

/** The words of a command line, with single and double quotes. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'),
  );
}
