import { SCRIPTS } from '../completion/scripts.ts';
import { EXIT, usage } from '../errors.ts';
import type { Run } from '../spec.ts';
import { closest } from '../suggest.ts';

export const script: Run = async ({ output }, { args }) => {
  const shell = args[0] ?? '';
  const text = new Map(Object.entries(SCRIPTS)).get(shell);
  if (text === undefined) {
    const meant = closest(shell, Object.keys(SCRIPTS));
    throw usage(
      `there is no completion for "${shell}"`,
      meant ? `did you mean ${meant}?` : 'shells: bash, zsh, fish',
    );
  }
  await output.result({}, text);
  return EXIT.ok;
};
