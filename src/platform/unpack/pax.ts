import { invalid } from './invalid.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Records of a pax extended header: `length key=value\n`, where the length counts itself. A later record wins. */
export function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : bytes.toString('latin1', at, space);
    if (!/^[1-9][0-9]{0,8}$/.test(digits)) throw invalid('a pax record without a length');
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (end > bytes.length || bytes[end - 1] !== 0x0a || equals <= space + 1 || equals >= end) {
      throw invalid('a pax record that is cut off');
    }
    const key = bytes.toString('latin1', space + 1, equals);
    // Values of other keys (extended attributes) may be binary; only what is used must be text.
    if (key === 'path' || key === 'linkpath' || key === 'size' || key.startsWith('GNU.sparse.')) {
      records.set(key, decode(bytes.subarray(equals + 1, end - 1)));
    }
    at = end;
  }
  return records;
}

function decode(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw invalid('a name that is not UTF-8');
  }
}
