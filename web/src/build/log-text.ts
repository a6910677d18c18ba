/** Log text as lines for people. Whatever a step wrote is text; escape sequences of terminals are left out. Pure. */

export interface LogLine {
  /** From 1 within what is shown. */
  number: number;
  text: string;
  /** A heading the server puts between steps. */
  heading: boolean;
}

/** Lines beyond this are not kept in the page. */
export const MAX_LINES = 100_000;
/** A line longer than this is cut. */
export const MAX_LINE = 4_000;

const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are taken out
  /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b-\u001f\u007f]/g;

export function plainLine(text: string): string {
  // A carriage return writes over the line, as progress bars do: the last writing stays.
  const shown = text.slice(text.replace(/\r+$/, '').lastIndexOf('\r') + 1);
  return shown.replace(ESCAPES, '').slice(0, MAX_LINE);
}

/** Splits a stream of text into lines; what has no newline yet waits for the rest. */
export function createLineReader(): { push(chunk: string): LogLine[]; end(): LogLine[] } {
  let rest = '';
  let count = 0;
  const toLine = (text: string): LogLine => {
    count += 1;
    return { number: count, text: plainLine(text), heading: /^=== [a-z0-9-]+$/.test(text) };
  };
  return {
    push(chunk) {
      const parts = (rest + chunk).split('\n');
      rest = (parts.pop() ?? '').slice(-MAX_LINE * 4);
      return parts.map(toLine);
    },
    end() {
      const last = rest;
      rest = '';
      return last === '' ? [] : [toLine(last)];
    },
  };
}

/** Where the lines hold the words, without regard to case. */
export function search(lines: readonly LogLine[], query: string): number[] {
  const wanted = query.trim().toLowerCase();
  if (wanted === '') return [];
  return lines.flatMap((line, i) => (line.text.toLowerCase().includes(wanted) ? [i] : []));
}
