import { CONTENT_LENGTH, TRANSFER_ENCODING } from './fields.ts';
import { FIELD_STRIDE, type HeadParser } from './head-parser.ts';
import { latin1 } from './latin1.ts';
import { MAX_CONNECTION_OPTIONS, MAX_LENGTH_DIGITS } from './limits.ts';

/** How a body's end is found. `close`: the peer closes the connection after it (answers only). */
export type Framing =
  | { kind: 'none' }
  | { kind: 'length'; length: number }
  | { kind: 'chunked' }
  | { kind: 'close' };

export const NO_BODY: Framing = { kind: 'none' };
export const CHUNKED: Framing = { kind: 'chunked' };
export const UNTIL_CLOSE: Framing = { kind: 'close' };

/** A message that is refused: the HTTP status to answer with, and why. */
export interface Refusal {
  status: number;
  reason: string;
}

export function fieldValue(buffer: Buffer, parser: HeadParser, index: number): string {
  const slot = index * FIELD_STRIDE;
  return latin1(buffer, parser.fields[slot + 3]!, parser.fields[slot + 4]!);
}

/**
 * The framing a message declares, or null where it declares none. Anything two parsers could read differently is
 * refused (RFC 9112 6.1 and 6.3): both fields, either twice, a list, a sign, codings other than chunked alone.
 */
export function declaredFraming(buffer: Buffer, parser: HeadParser): Framing | Refusal | null {
  let length: string | null = null;
  let coding: string | null = null;
  for (let i = 0; i < parser.fieldCount; i++) {
    const field = parser.fields[i * FIELD_STRIDE];
    if (field === CONTENT_LENGTH) {
      if (length !== null) return { status: 400, reason: 'Content-Length is given more than once' };
      length = fieldValue(buffer, parser, i);
    } else if (field === TRANSFER_ENCODING) {
      if (coding !== null) return { status: 400, reason: 'Transfer-Encoding is given more than once' };
      coding = fieldValue(buffer, parser, i);
    }
  }
  if (coding !== null) {
    if (length !== null) return { status: 400, reason: 'Transfer-Encoding together with Content-Length' };
    if (parser.minorVersion === 0) return { status: 400, reason: 'Transfer-Encoding in HTTP/1.0' };
    if (coding.toLowerCase() !== 'chunked')
      return { status: 400, reason: 'a transfer coding other than chunked' };
    return CHUNKED;
  }
  if (length === null) return null;
  if (!/^[0-9]+$/.test(length) || length.length > MAX_LENGTH_DIGITS) {
    return { status: 400, reason: 'Content-Length is not a number' };
  }
  const bytes = Number(length);
  return bytes === 0 ? NO_BODY : { kind: 'length', length: bytes };
}

/** What Connection says. `named`: other fields to drop at this hop, in lower case. */
export interface ConnectionOptions {
  close: boolean;
  keepAlive: boolean;
  upgrade: boolean;
  named: readonly string[];
}

export const NO_OPTIONS: ConnectionOptions = { close: false, keepAlive: false, upgrade: false, named: [] };

/** Adds the options of one Connection field to `before`; null when there are too many. */
export function connectionOptions(before: ConnectionOptions, value: string): ConnectionOptions | null {
  if (before === NO_OPTIONS) {
    if (value === 'close') return { close: true, keepAlive: false, upgrade: false, named: [] };
    if (value === 'keep-alive') return { close: false, keepAlive: true, upgrade: false, named: [] };
  }
  const result = { ...before, named: [...before.named] };
  const options = value.toLowerCase().split(',');
  if (options.length + result.named.length > MAX_CONNECTION_OPTIONS) return null;
  for (const option of options) {
    const name = option.trim();
    if (name === 'close') result.close = true;
    else if (name === 'keep-alive') result.keepAlive = true;
    else if (name === 'upgrade') result.upgrade = true;
    else if (name !== '') result.named.push(name);
  }
  return result;
}

/**
 * Copies the field lines for which `keep` holds, as they came, in runs as long as possible. `named` are lower-case
 * names (from Connection) that go no further either.
 */
export function copyFields(
  buffer: Buffer,
  parser: HeadParser,
  keep: (field: number) => boolean,
  named: readonly string[],
): string {
  let text = '';
  let runStart = parser.fieldsStart;
  for (let i = 0; i < parser.fieldCount; i++) {
    const slot = i * FIELD_STRIDE;
    const lineStart = parser.fields[slot + 1]!;
    if (keep(parser.fields[slot]!) && (named.length === 0 || !isNamed(buffer, parser, slot, named))) continue;
    if (lineStart > runStart) text += latin1(buffer, runStart, lineStart);
    runStart = parser.fields[slot + 5]!;
  }
  if (parser.fieldsEnd > runStart) text += latin1(buffer, runStart, parser.fieldsEnd);
  return text;
}

function isNamed(buffer: Buffer, parser: HeadParser, slot: number, named: readonly string[]): boolean {
  // Framing and Host are ours to keep whatever the peer lists: dropping them would change where the message ends.
  const field = parser.fields[slot]!;
  if (field === CONTENT_LENGTH || field === TRANSFER_ENCODING) return false;
  const name = latin1(buffer, parser.fields[slot + 1]!, parser.fields[slot + 2]!).toLowerCase();
  return name !== 'host' && named.includes(name);
}
