import { CLASSES, COLON, CR, FIELD_VALUE, LF, SPACE, TAB, TARGET, TOKEN } from './characters.ts';
import { classifyField } from './fields.ts';
import { MAX_FIELDS, MAX_HEAD_BYTES, MAX_METHOD_BYTES } from './limits.ts';

/** What a section is: the first line differs, a trailer section has none. */
export type HeadKind = 'request' | 'response' | 'trailers';

export type ParseStep = 'more' | 'done' | 'failed';

/** Numbers kept per field: class, name start, name end, value start, value end, end of line (after CRLF). */
export const FIELD_STRIDE = 6;

// States; each resumes in the middle of its element, so a section may arrive in pieces of any size.
const START = 0;
const METHOD = 1;
const TARGET_STATE = 2;
const REQUEST_VERSION = 3;
const RESPONSE_VERSION = 4;
const STATUS = 5;
const REASON = 6;
const LINE_LF = 7;
const FIELD_START = 8;
const NAME = 9;
const VALUE_START = 10;
const VALUE = 11;
const VALUE_LF = 12;
const END_LF = 13;
const DONE = 14;
const START_LF = 15;

const VERSION = Buffer.from('HTTP/1.');

/**
 * A strict, resumable parser of an HTTP/1.x head (RFC 9112). It holds offsets only; the bytes stay in the caller's
 * buffer, which must hold the section from its first byte at every call. Whatever two implementations could read
 * differently fails here: bare LF or CR, folded lines, space before the colon, control bytes, empty names.
 */
export class HeadParser {
  readonly kind: HeadKind;
  minorVersion = 1;
  status = 0;
  methodStart = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** First byte after `HTTP/1.x` of a status line. */
  statusStart = 0;
  /** First byte after the start line. */
  fieldsStart = 0;
  /** First byte of the CRLF that ends the section. */
  fieldsEnd = 0;
  fieldCount = 0;
  readonly fields: Int32Array = new Int32Array(MAX_FIELDS * FIELD_STRIDE);
  /** Set when a step failed: the HTTP status that says so, and why. */
  failureStatus = 0;
  failure = '';
  /** Offset of the next byte to read; the first byte after the section once done. */
  position = 0;

  #state = START;
  #start = 0;
  #matched = 0;
  #skippedEmptyLine = false;

  constructor(kind: HeadKind) {
    this.kind = kind;
  }

  /** Makes ready for a section that begins at `position`. */
  reset(position: number): void {
    this.#start = position;
    this.position = position;
    this.fieldCount = 0;
    this.#matched = 0;
    this.#skippedEmptyLine = false;
    this.status = 0;
    this.failureStatus = 0;
    this.fieldsStart = position;
    this.#state = this.kind === 'trailers' ? FIELD_START : this.kind === 'request' ? START : RESPONSE_VERSION;
  }

  /** False until the first byte that counts was read. */
  get begun(): boolean {
    return this.position > this.#start;
  }

  /** The section's bytes moved by `delta`: the caller copied them into another buffer. */
  rebase(delta: number): void {
    this.#start += delta;
    this.position += delta;
    this.methodStart += delta;
    this.methodEnd += delta;
    this.targetStart += delta;
    this.targetEnd += delta;
    this.statusStart += delta;
    this.fieldsStart += delta;
    this.fieldsEnd += delta;
    const { fields } = this;
    const used = Math.min((this.fieldCount + 1) * FIELD_STRIDE, fields.length);
    for (let i = 0; i < used; i++) if (i % FIELD_STRIDE !== 0) fields[i]! += delta;
  }

  #fail(status: number, reason: string): ParseStep {
    this.failureStatus = status;
    this.failure = reason;
    return 'failed';
  }

  /** Reads up to `end`. After `failed` only `reset` helps. */
  execute(buffer: Uint8Array, end: number): ParseStep {
    const limit = this.#start + MAX_HEAD_BYTES;
    const step = this.#run(buffer, Math.min(end, limit));
    if (step === 'more' && end >= limit) return this.#fail(431, 'the header section is too large');
    return step;
  }

  #run(buffer: Uint8Array, end: number): ParseStep {
    while (this.#state < FIELD_START || this.#state === START_LF) {
      const step = this.kind === 'request' ? this.#requestLine(buffer, end) : this.#statusLine(buffer, end);
      if (step !== 'done') return step;
    }
    return this.#fieldLines(buffer, end);
  }

  /** One element of the request line; `done` when it was read whole. */
  #requestLine(buffer: Uint8Array, end: number): ParseStep {
    let at = this.position;
    if (at >= end) return 'more';
    switch (this.#state) {
      case START:
        // RFC 9112 2.2: one empty line before a request is forgiven; old clients send it after a body.
        if (buffer[at] === CR && !this.#skippedEmptyLine) {
          this.#skippedEmptyLine = true;
          this.#state = START_LF;
          this.position = at + 1;
          return 'done';
        }
        this.methodStart = at;
        this.#state = METHOD;
        return 'done';
      case START_LF:
        if (buffer[at] !== LF) return this.#fail(400, 'a CR without LF');
        this.position = at + 1;
        this.#state = START;
        return 'done';
      case METHOD:
        while (at < end && (CLASSES[buffer[at]!]! & TOKEN) !== 0) at++;
        this.position = at;
        if (at - this.methodStart > MAX_METHOD_BYTES) return this.#fail(400, 'the method is too long');
        if (at === end) return 'more';
        if (buffer[at] !== SPACE || at === this.methodStart)
          return this.#fail(400, 'the method is not a token');
        this.methodEnd = at;
        this.targetStart = this.position = at + 1;
        this.#state = TARGET_STATE;
        return 'done';
      case TARGET_STATE:
        while (at < end && (CLASSES[buffer[at]!]! & TARGET) !== 0) at++;
        this.position = at;
        if (at === end) return 'more';
        if (buffer[at] !== SPACE || at === this.targetStart)
          return this.#fail(400, 'the request target is not valid');
        this.targetEnd = at;
        this.position = at + 1;
        this.#state = REQUEST_VERSION;
        return 'done';
      case REQUEST_VERSION:
        return this.#version(buffer, end, CR, LINE_LF);
      default:
        return this.#lineEnd(buffer);
    }
  }

  /** One element of the status line. */
  #statusLine(buffer: Uint8Array, end: number): ParseStep {
    let at = this.position;
    if (at >= end) return 'more';
    switch (this.#state) {
      case RESPONSE_VERSION:
        return this.#version(buffer, end, SPACE, STATUS);
      case STATUS:
        while (at < end && this.#matched < 3) {
          const digit = buffer[at]! - 0x30;
          if (digit < 0 || digit > 9) return this.#fail(400, 'the status is not three digits');
          this.status = this.status * 10 + digit;
          this.#matched++;
          at++;
        }
        this.position = at;
        if (at === end) return 'more';
        if (this.status < 100 || this.status > 599) return this.#fail(400, 'the status is out of range');
        // The space before an empty reason is often forgotten; nothing hangs on it.
        if (buffer[at] !== SPACE && buffer[at] !== CR)
          return this.#fail(400, 'the status is not three digits');
        this.#state = REASON;
        return 'done';
      case REASON:
        while (at < end && (CLASSES[buffer[at]!]! & FIELD_VALUE) !== 0) at++;
        this.position = at;
        if (at === end) return 'more';
        if (buffer[at] !== CR) return this.#fail(400, 'a control byte in the status line');
        this.position = at + 1;
        this.#state = LINE_LF;
        return 'done';
      default:
        return this.#lineEnd(buffer);
    }
  }

  #lineEnd(buffer: Uint8Array): ParseStep {
    if (buffer[this.position] !== LF) return this.#fail(400, 'a line must end in CRLF');
    this.fieldsStart = ++this.position;
    this.#state = FIELD_START;
    return 'done';
  }

  /** `HTTP/1.0` or `HTTP/1.1`, then `after`. */
  #version(buffer: Uint8Array, end: number, after: number, next: number): ParseStep {
    let at = this.position;
    for (; at < end; at++) {
      const byte = buffer[at]!;
      if (this.#matched < VERSION.length) {
        if (byte !== VERSION[this.#matched]) return this.#fail(400, 'the protocol version is not HTTP/1.x');
      } else if (this.#matched === VERSION.length) {
        if (byte !== 0x30 && byte !== 0x31)
          return this.#fail(505, 'only HTTP/1.0 and HTTP/1.1 are spoken here');
        this.minorVersion = byte - 0x30;
      } else {
        if (byte !== after) return this.#fail(400, 'the start line does not end after the version');
        this.statusStart = at;
        this.position = at + 1;
        this.#matched = 0;
        this.#state = next;
        return 'done';
      }
      this.#matched++;
    }
    this.position = at;
    return 'more';
  }

  #fieldLines(buffer: Uint8Array, end: number): ParseStep {
    const { fields } = this;
    let at = this.position;
    let slot = this.fieldCount * FIELD_STRIDE;
    while (at < end) {
      switch (this.#state) {
        case FIELD_START:
          if (buffer[at] === CR) {
            this.fieldsEnd = at++;
            this.#state = END_LF;
            break;
          }
          if (this.fieldCount === MAX_FIELDS) return this.#fail(431, 'too many header fields');
          fields[slot + 1] = at;
          this.#state = NAME;
          break;
        case NAME:
          while (at < end && (CLASSES[buffer[at]!]! & TOKEN) !== 0) at++;
          if (at === end) break;
          // Also what a folded line, a space before the colon and an empty name run into.
          if (buffer[at] !== COLON || at === fields[slot + 1])
            return this.#fail(400, 'a header field name is not a token');
          fields[slot] = classifyField(buffer, fields[slot + 1]!, at);
          fields[slot + 2] = at++;
          fields[slot + 3] = at;
          this.#state = VALUE_START;
          break;
        case VALUE_START:
          while (at < end && (buffer[at] === SPACE || buffer[at] === TAB)) at++;
          fields[slot + 3] = at;
          if (at < end) this.#state = VALUE;
          break;
        case VALUE:
          while (at < end && (CLASSES[buffer[at]!]! & FIELD_VALUE) !== 0) at++;
          if (at === end) break;
          if (buffer[at] !== CR) return this.#fail(400, 'a control byte in a header field');
          fields[slot + 4] = trimmedEnd(buffer, fields[slot + 3]!, at++);
          this.#state = VALUE_LF;
          break;
        case VALUE_LF:
          if (buffer[at] !== LF) return this.#fail(400, 'a header line must end in CRLF');
          fields[slot + 5] = ++at;
          slot += FIELD_STRIDE;
          this.fieldCount++;
          this.#state = FIELD_START;
          break;
        default:
          if (buffer[at] !== LF) return this.#fail(400, 'the header section must end in CRLF');
          this.position = at + 1;
          this.#state = DONE;
          return 'done';
      }
    }
    this.position = at;
    return 'more';
  }
}

function trimmedEnd(buffer: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (buffer[at - 1] === SPACE || buffer[at - 1] === TAB)) at--;
  return at;
}
