const ESC = String.fromCharCode(0x1b);
const CSI = String.fromCharCode(0x9b);
const BEL = String.fromCharCode(0x07);

/**
 * Escape sequences (ECMA-48): control sequences, and operating system commands that have an end. Linear in the text: no
 * part looks past the next escape. (node:util's stripVTControlCharacters takes seconds for what fits in a commit message.)
 */
const SEQUENCES = new RegExp(
  `(?:${ESC}\\[|${CSI})[0-?]*[ -/]*[@-~]|${ESC}\\][^${BEL}${ESC}\\n]*(?:${BEL}|${ESC}\\\\)|${ESC}[ -/]*[0-Z\\\\-~]`,
  'g',
);

/** C0 and C1 controls but newline and tab; and what turns the direction of text around. */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu;

/**
 * Text from outside (commit messages, authors, log lines) made safe for a terminal: an attacker who controls it must not
 * move the cursor, change colours or hide anything.
 */
export function clean(text: string): string {
  return withoutSequences(text).replace(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : '',
  );
}

/** The text without escape sequences: what takes up room in a terminal. */
export function withoutSequences(text: string): string {
  return text.includes(ESC) || text.includes(CSI) ? text.replace(SEQUENCES, '') : text;
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
