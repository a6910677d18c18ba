import { SlipwayError } from '../kernel/errors.ts';
import type { Context } from './context.ts';
import { Interrupted, usage } from './errors.ts';
import { isInteractive } from './io.ts';

/**
 * For what cannot simply be undone: the plan is shown, then production wants its name typed or given as --confirm. Without
 * a terminal it ends at once and names the flag. The server asks for the same; this only asks earlier.
 * Gives the name to send along; undefined where none is asked for.
 */
export async function confirm(
  context: Context,
  place: { environment: string; production: boolean; what: string; given: string | undefined },
): Promise<string | undefined> {
  const { environment, production, what, given } = place;
  if (given !== undefined) {
    if (given === environment) return given;
    throw usage(
      `--confirm=${given} does not name the environment, which is ${environment}`,
      `to go on: --confirm=${environment}`,
    );
  }
  if (!production) return undefined;
  if (!isInteractive(context.io)) {
    throw new SlipwayError(
      'confirmation_required',
      `to ${what} in ${environment}, say so with --confirm=${environment}`,
      {
        hint: `repeat the command with --confirm=${environment}`,
      },
    );
  }
  const typed = await ask(context, `To ${what} in ${environment}, type the environment's name:`);
  if (typed === environment) return environment;
  throw new SlipwayError('cancelled', `nothing was changed: "${typed}" is not "${environment}"`, {
    hint: 'repeat the command and type the name as it is written',
  });
}

async function ask({ signal }: Context, message: string): Promise<string> {
  const { isCancel, text } = await import('@clack/prompts');
  const answer = await text({ message, output: process.stderr, signal });
  if (isCancel(answer)) throw new Interrupted('interrupted; nothing was changed');
  return String(answer ?? '').trim();
}
