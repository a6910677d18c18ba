import { CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST_FIELD, OTHER, UPGRADE } from './fields.ts';
import {
  connectionOptions,
  copyFields,
  declaredFraming,
  type Framing,
  fieldValue,
  NO_BODY,
  NO_OPTIONS,
  type Refusal,
  UNTIL_CLOSE,
} from './framing.ts';
import { FIELD_STRIDE, type HeadParser } from './head-parser.ts';
import { latin1 } from './latin1.ts';

/** A backend's answer head, judged and stripped of what belongs to its hop. */
export interface ResponseHead {
  status: number;
  framing: Framing;
  /** The backend will read another request on this connection. */
  keepAlive: boolean;
  /** `timeout` of Keep-Alive in seconds; null when it says nothing. */
  keepAliveTimeoutS: number | null;
  eventStream: boolean;
  /** Status line and end-to-end fields, without the empty line. */
  text: string;
}

/** Judges the head in `parser`, an answer to a request that was `HEAD` or not. */
export function readResponseHead(
  buffer: Buffer,
  parser: HeadParser,
  toHead: boolean,
): ResponseHead | Refusal {
  const { status } = parser;
  const declared = declaredFraming(buffer, parser);
  if (declared !== null && 'status' in declared) return declared;
  let options = NO_OPTIONS;
  let keepAliveTimeoutS: number | null = null;
  let eventStream = false;
  let upgradeTo: string | null = null;
  for (let i = 0; i < parser.fieldCount; i++) {
    const slot = i * FIELD_STRIDE;
    const field = parser.fields[slot]!;
    if (field === CONNECTION) {
      const more = connectionOptions(options, fieldValue(buffer, parser, i));
      if (more === null) return { status: 502, reason: 'Connection lists too many options' };
      options = more;
    } else if (field === UPGRADE) {
      upgradeTo = fieldValue(buffer, parser, i);
    } else if (parser.fields[slot + 2]! - parser.fields[slot + 1]! === KEEP_ALIVE_LENGTH) {
      keepAliveTimeoutS = keepAliveHint(buffer, parser, i) ?? keepAliveTimeoutS;
    } else if (parser.fields[slot + 2]! - parser.fields[slot + 1]! === CONTENT_TYPE_LENGTH) {
      eventStream ||= isEventStream(buffer, parser, i);
    }
  }
  const bodyless = toHead || status < 200 || status === 204 || status === 304;
  const framing = bodyless ? NO_BODY : (declared ?? UNTIL_CLOSE);
  // 1xx and 204 have no body and must not say how long it is (RFC 9110 8.6).
  const keepLength = status >= 200 && status !== 204;
  let text = `HTTP/1.1${latin1(buffer, parser.statusStart, parser.fieldsStart)}`;
  text += copyFields(buffer, parser, keepLength ? passesWithLength : passes, options.named);
  if (status === 101) text += `Connection: Upgrade\r\nUpgrade: ${upgradeTo ?? 'websocket'}\r\n`;
  else if (status === 426 && upgradeTo !== null) text += `Upgrade: ${upgradeTo}\r\n`;
  return {
    status,
    framing,
    keepAlive: !options.close && (parser.minorVersion === 1 || options.keepAlive) && framing.kind !== 'close',
    keepAliveTimeoutS,
    eventStream,
    text,
  };
}

const KEEP_ALIVE_LENGTH = 'keep-alive'.length;
const CONTENT_TYPE_LENGTH = 'content-type'.length;

function passesWithLength(field: number): boolean {
  return passes(field) || field === CONTENT_LENGTH;
}

function passes(field: number): boolean {
  return field === OTHER || field === HOST_FIELD || field === COOKIE || field === EXPECT;
}

function keepAliveHint(buffer: Buffer, parser: HeadParser, index: number): number | null {
  const slot = index * FIELD_STRIDE;
  const name = latin1(buffer, parser.fields[slot + 1]!, parser.fields[slot + 2]!).toLowerCase();
  if (name !== 'keep-alive') return null;
  const match = /(?:^|[ ,])timeout=(\d{1,6})/i.exec(fieldValue(buffer, parser, index));
  return match === null ? null : Number(match[1]);
}

function isEventStream(buffer: Buffer, parser: HeadParser, index: number): boolean {
  const slot = index * FIELD_STRIDE;
  const length = parser.fields[slot + 4]! - parser.fields[slot + 3]!;
  if (length < 17) return false;
  const name = latin1(buffer, parser.fields[slot + 1]!, parser.fields[slot + 2]!).toLowerCase();
  return (
    name === 'content-type' && fieldValue(buffer, parser, index).toLowerCase().startsWith('text/event-stream')
  );
}
