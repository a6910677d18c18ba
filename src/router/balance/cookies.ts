import { COOKIE } from '../http/fields.ts';
import { fieldValue } from '../http/framing.ts';
import { FIELD_STRIDE, type HeadParser } from '../http/head-parser.ts';
import { latin1 } from '../http/latin1.ts';

/** The value of the first cookie called `name`; null when the request has none. Attacker-controlled text. */
export function requestCookie(buffer: Buffer, parser: HeadParser, name: string): string | null {
  for (let i = 0; i < parser.fieldCount; i++) {
    if (parser.fields[i * FIELD_STRIDE] !== COOKIE) continue;
    for (const pair of fieldValue(buffer, parser, i).split(';')) {
      const equals = pair.indexOf('=');
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return null;
}

/** True when a field called `name` (lower case) has exactly `value` on one of its lines. */
export function headerEquals(buffer: Buffer, parser: HeadParser, name: string, value: string): boolean {
  for (let i = 0; i < parser.fieldCount; i++) {
    const slot = i * FIELD_STRIDE;
    const start = parser.fields[slot + 1]!;
    const end = parser.fields[slot + 2]!;
    if (end - start !== name.length || fieldValue(buffer, parser, i) !== value) continue;
    if (latin1(buffer, start, end).toLowerCase() === name) return true;
  }
  return false;
}
