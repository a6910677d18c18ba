import { SlipwayError } from '../../kernel/errors.ts';

const MAX_PATTERN = 1_024;
const MAX_BRACES = 256;
const MAX_SEGMENTS = 64;

/** A compiled pattern: segments of the path, `**` for any number of them. */
export type Glob = readonly (readonly string[])[];

/**
 * Compiles `src/**`, `*.json`, `{a,b}/c[0-9].txt`. A pattern that names a directory takes all below it; names with a
 * leading dot match like others. Matching takes at most (segments x characters) steps, whatever the pattern: no regular
 * expression is built from what an author wrote. Throws `invalid_config`.
 */
export function compileGlob(pattern: string): Glob {
  if (pattern.length === 0 || pattern.length > MAX_PATTERN || pattern.includes('\0'))
    throw refuse(pattern, 'is empty or too long');
  const clean = pattern.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (clean === '.' || clean === '') return [['**']];
  if (clean.startsWith('/'))
    throw refuse(pattern, 'is absolute; patterns start at the root of the repository');
  return expandBraces(clean, pattern).map((plain) => {
    const segments = plain.split('/').filter((segment) => segment !== '');
    if (segments.some((segment) => segment === '..')) throw refuse(pattern, 'leaves the repository');
    if (segments.length > MAX_SEGMENTS) throw refuse(pattern, `has more than ${MAX_SEGMENTS} parts`);
    return segments.filter((segment, i) => !(segment === '**' && segments[i - 1] === '**'));
  });
}

/** The paths below which everything lies that the pattern can take, without wildcards; empty text: anywhere. */
export function literalPrefixes(pattern: string): string[] {
  return compileGlob(pattern).map((segments) => {
    const wild = segments.findIndex((segment) => /[*?[\\]/.test(segment));
    return (wild < 0 ? segments : segments.slice(0, wild)).join('/');
  });
}

/** True when the pattern takes the path itself or a directory above it. `path` is relative, with `/`. */
export function matchesGlob(glob: Glob, path: string): boolean {
  const parts = path.split('/');
  return glob.some((segments) => matchSegments(segments, parts));
}

/** False when nothing below this directory can match: it need not be read. */
export function mayMatchBelow(glob: Glob, directory: string): boolean {
  const parts = directory.split('/');
  return glob.some((segments) => {
    for (const [index, part] of parts.entries()) {
      const segment = segments[index];
      if (segment === '**' || segment === undefined) return true;
      if (!matchName(segment, part)) return false;
    }
    return true;
  });
}

export function matchesAny(globs: readonly Glob[], path: string): boolean {
  return globs.some((glob) => matchesGlob(glob, path));
}

/** Prefix match: `reach[i]` tells whether the first i segments can match the parts so far. */
function matchSegments(segments: readonly string[], parts: readonly string[]): boolean {
  let reach: boolean[] = [true, ...segments.map(() => false)];
  closeOverStars(segments, reach);
  if (reach[segments.length] && segments.at(-1) !== '**') return true;
  for (const part of parts) {
    const next = reach.map(() => false);
    segments.forEach((segment, i) => {
      if (!reach[i]) return;
      if (segment === '**') next[i] = true;
      else if (matchName(segment, part)) next[i + 1] = true;
    });
    closeOverStars(segments, next);
    // The whole pattern is used up: this is the thing named, or a directory above it.
    if (next[segments.length]) return true;
    reach = next;
  }
  return false;
}

function closeOverStars(segments: readonly string[], reach: boolean[]): void {
  segments.forEach((segment, i) => {
    if (segment === '**' && reach[i]) reach[i + 1] = true;
  });
}

/** One name against `*`, `?`, `[a-z]`, `[!a]`: two pointers, back to the last star only. */
function matchName(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let retry = 0;
  while (n < name.length) {
    const width = p < pattern.length ? matchOne(pattern, p, name.charAt(n)) : 0;
    if (pattern[p] === '*') {
      star = p++;
      retry = n;
    } else if (width > 0) {
      p += width;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** How many characters of the pattern at `p` this one character matches; 0: it does not. */
function matchOne(pattern: string, p: number, character: string): number {
  const token = pattern[p];
  if (token === '?') return 1;
  if (token === '\\' && p + 1 < pattern.length) return pattern[p + 1] === character ? 2 : 0;
  const end = token === '[' ? pattern.indexOf(']', p + 2) : -1;
  if (end < 0) return token === character ? 1 : 0;
  const negated = pattern[p + 1] === '!' || pattern[p + 1] === '^';
  let inside = false;
  for (let i = p + (negated ? 2 : 1); i < end; i++) {
    const from = pattern.charAt(i);
    if (pattern[i + 1] === '-' && i + 2 < end) {
      inside ||= from <= character && character <= pattern.charAt(i + 2);
      i += 2;
    } else {
      inside ||= from === character;
    }
  }
  return inside === negated ? 0 : end - p + 1;
}

function expandBraces(text: string, pattern: string): string[] {
  const done: string[] = [];
  const queue = [text];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    // The innermost pair, so that nesting needs no recursion.
    const close = next.indexOf('}');
    const open = close < 0 ? -1 : next.lastIndexOf('{', close);
    if (open < 0) {
      done.push(next);
    } else {
      const [head, tail] = [next.slice(0, open), next.slice(close + 1)];
      for (const choice of next.slice(open + 1, close).split(',')) queue.push(head + choice + tail);
    }
    if (queue.length + done.length > MAX_BRACES)
      throw refuse(pattern, `stands for more than ${MAX_BRACES} patterns`);
  }
  return [...new Set(done)].sort();
}

function refuse(pattern: string, why: string): SlipwayError {
  return new SlipwayError('invalid_config', `the pattern ${JSON.stringify(pattern.slice(0, 80))} ${why}`, {
    hint: 'write it relative to the root of the repository, for example src/**',
  });
}
