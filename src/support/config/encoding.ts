import type { Diagnostic } from '../../kernel/errors.ts';

/** Largest configuration file, in bytes. */
export const MAX_FILE_BYTES = 131_072;

export type Decoded = { text: string } | { problem: Diagnostic };

/** Text of a configuration file: bounded, UTF-8, without control characters. A byte order mark is dropped. */
export function decodeText(file: string, content: string | Uint8Array): Decoded {
  const size = typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength;
  const problem = (message: string, hint: string, line = 1, column = 1): Decoded => ({
    problem: { path: file, message, hint, position: { file, line, column } },
  });
  if (size > MAX_FILE_BYTES) {
    return problem(
      `the file has ${size} bytes; at most ${MAX_FILE_BYTES} are read`,
      'Split it into several files.',
    );
  }
  let text: string;
  if (typeof content === 'string') {
    text = content;
  } else {
    if (isUtf16(content)) return problem('the file is UTF-16; expected UTF-8', 'Save it as UTF-8.');
    const decoded = decodeUtf8(content);
    if (typeof decoded !== 'string') {
      return problem('this byte is not UTF-8', 'Save the file as UTF-8.', decoded.line, decoded.column);
    }
    text = decoded;
  }
  if (text.startsWith('\uFEFF')) text = text.slice(1);
  const bad = badCharacter(text);
  if (bad !== null) {
    const before = text.slice(0, bad).split('\n');
    return problem(
      'this character may not stand in a configuration file',
      'Remove control characters and save the file as UTF-8.',
      before.length,
      (before.at(-1)?.length ?? 0) + 1,
    );
  }
  return { text };
}

function isUtf16(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  return bytes.length >= 2 && (first === 0) !== (second === 0);
}

function decodeUtf8(bytes: Uint8Array): string | { line: number; column: number } {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    // A line feed never stands inside a UTF-8 sequence, so the first line that fails alone holds the bad byte.
    let start = 0;
    for (let line = 1; ; line++) {
      const end = bytes.indexOf(10, start);
      const slice = bytes.subarray(start, end < 0 ? bytes.length : end);
      if (!isUtf8(slice)) return { line, column: goodPrefix(slice) + 1 };
      if (end < 0) return { line, column: 1 };
      start = end + 1;
    }
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Characters of the longest prefix that decodes. */
function goodPrefix(bytes: Uint8Array): number {
  const replaced = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const bad = replaced.indexOf('\uFFFD');
  return Math.max(0, bad);
}

/**
 * Control characters but tab, line ends and NEL; lone surrogates; the sign of a lossy decoding; and the bidirectional
 * overrides with which a text shows a reviewer something else than the machine reads (CVE-2021-42574).
 */
const BAD_CHARACTER = /(?![\t\n\r\u0085])[\p{Cc}\p{Surrogate}\uFFFD-\uFFFF\u202A-\u202E\u2066-\u2069]/u;

function badCharacter(text: string): number | null {
  const bad = BAD_CHARACTER.exec(text);
  return bad ? bad.index : null;
}
