import { isCelError, run } from '@bufbuild/cel';

/** Longest pattern of `matches()`. */
export const MAX_PATTERN_CHARS = 256;
/** Largest program a pattern may stand for once its counted repetitions are written out. */
const MAX_PROGRAM = 2_048;

/**
 * The engine is RE2: linear in the text, but the program it runs grows with counted repetitions (`(a{100}){100}`), and each
 * character costs a step of each. So both are bounded before the engine sees the pattern.
 */
export function patternCost(pattern: string, textLength: number): { cost: number } | { problem: string } {
  if (pattern.length > MAX_PATTERN_CHARS)
    return { problem: `a pattern of more than ${MAX_PATTERN_CHARS} characters` };
  const repeats = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)];
  const factor = repeats.reduce(
    (product, [, least, most]) => product * Math.max(1, Number(least), Number(most || 0)),
    1,
  );
  const program = pattern.length * factor;
  if (program > MAX_PROGRAM) return { problem: 'a pattern that repeats too much' };
  const tried = run('"".matches(pattern)', { pattern });
  if (isCelError(tried)) return { problem: `not a pattern (RE2): ${tried.message}` };
  return { cost: 1 + (program * textLength) / 100 };
}
