import { createApi } from '../api/client.ts';
import { COMMANDS } from '../catalogue/all.ts';
import { resolveConnection } from '../connection.ts';
import { EXIT } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Local } from '../local.ts';
import { oneLine } from '../output/clean.ts';
import { lookUp, paths } from './names.ts';
import { planCompletion } from './plan.ts';

/** The person waits with a finger on the key: names that take longer are not shown. */
const BUDGET_MS = 130;

/** `slipway __complete <words>`: a candidate a line, a tab and words about it behind. Never fails, never complains. */
export async function complete(words: readonly string[], local: Local, io: Io): Promise<number> {
  try {
    const wanted = planCompletion(COMMANDS, words);
    if (wanted.kind === 'words') print(io, wanted.words);
    if (wanted.kind !== 'names') return EXIT.ok;
    const { of, partial, prefix, args } = wanted;
    const found =
      of === 'folder'
        ? await paths(io.cwd, partial)
        : await within(lookUp(of, args, () => connect(words, local, io)));
    print(
      io,
      found.filter(([name]) => name.startsWith(partial)).map(([name, about]) => [`${prefix}${name}`, about]),
    );
  } catch {
    // No names are better than a message in the middle of a command line.
  }
  return EXIT.ok;
}

function within<T>(names: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), BUDGET_MS);
  });
  return Promise.race([names, late]).finally(() => clearTimeout(timer));
}

async function connect(words: readonly string[], local: Local, io: Io) {
  const connection = await resolveConnection(io, local, {
    url: optionIn(words, '--url'),
    data: optionIn(words, '--data'),
    profile: optionIn(words, '--profile'),
  });
  return createApi({
    connection,
    version: 'completion',
    signal: AbortSignal.timeout(BUDGET_MS),
    forTerminal: true,
  });
}

function optionIn(words: readonly string[], flag: string): string | undefined {
  const joined = words.find((word) => word.startsWith(`${flag}=`));
  if (joined !== undefined) return joined.slice(flag.length + 1);
  const at = words.indexOf(flag);
  return at < 0 ? undefined : words[at + 1];
}

function print(io: Io, candidates: readonly (readonly [string, string])[]): void {
  for (const [word, about] of candidates) io.stdout.write(`${oneLine(word)}\t${oneLine(about)}\n`);
}
