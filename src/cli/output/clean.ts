import { stripVTControlCharacters } from 'node:util';

/** C0 and C1 controls but newline and tab; and what turns the direction of text around. */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu;

/**
 * Text from outside (commit messages, authors, log lines) made safe for a terminal: an attacker who controls it must not
 * move the cursor, change colours or hide anything.
 */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replace(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : '',
  );
}

/** `clean`, and on one line. */
export function oneLine(text: string): string {
  return clean(text).replace(/\s+/g, ' ').trim();
}

/** The same value with every string in it made safe. */
export function cleanDeep<T>(value: T): T {
  if (typeof value === 'string') return clean(value) as T;
  if (Array.isArray(value)) return value.map(cleanDeep) as T;
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [clean(key), cleanDeep(member)]),
    ) as T;
  return value;
}
