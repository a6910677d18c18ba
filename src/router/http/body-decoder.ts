import { CLASSES, CR, FIELD_VALUE, HEX, LF, SEMICOLON, SPACE, TAB } from './characters.ts';
import { OTHER } from './fields.ts';
import { copyFields, type Framing } from './framing.ts';
import { HeadReader } from './head-reader.ts';
import { latin1 } from './latin1.ts';
import { MAX_CHUNK_EXTENSION_BYTES, MAX_CHUNK_SIZE_DIGITS } from './limits.ts';

/** Takes the decoded bytes. The buffer is the caller's and is used again after the call. */
export interface BodySink {
  onBody(buffer: Buffer, start: number, end: number): void;
}

export type BodyStep = 'more' | 'done' | 'failed';

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const LENGTH = 7;
const CLOSE = 8;
const NONE = 9;

/**
 * Takes a body out of its framing. What comes out is bytes and trailer lines only; whoever sends them on frames them
 * anew, so nothing a peer hides in chunk sizes, extensions or line ends reaches the next parser.
 */
export class BodyDecoder {
  /** Offset after the last byte of the body in the buffer last fed. */
  next = 0;
  /** Trailer lines, each with its CRLF; only end-to-end fields. */
  trailers = '';
  failure = '';
  failureStatus = 400;

  #state = NONE;
  #remaining = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerReader: HeadReader | null = null;

  begin(framing: Framing): void {
    this.trailers = '';
    this.failure = '';
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#remaining = 0;
    if (framing.kind === 'length') {
      this.#remaining = framing.length;
      this.#state = LENGTH;
    } else {
      this.#state = framing.kind === 'chunked' ? SIZE : framing.kind === 'close' ? CLOSE : NONE;
    }
  }

  #fail(reason: string, status = 400): BodyStep {
    this.failure = reason;
    this.failureStatus = status;
    return 'failed';
  }

  /** Decodes `buffer` from `start` to `end`, handing data to `sink`; `next` says where the body ended once `done`. */
  feed(buffer: Buffer, start: number, end: number, sink: BodySink): BodyStep {
    switch (this.#state) {
      case NONE:
        this.next = start;
        return 'done';
      case CLOSE:
        if (end > start) sink.onBody(buffer, start, end);
        this.next = end;
        return 'more';
      case LENGTH: {
        const taken = Math.min(end - start, this.#remaining);
        this.#remaining -= taken;
        this.next = start + taken;
        if (taken > 0) sink.onBody(buffer, start, this.next);
        return this.#remaining === 0 ? 'done' : 'more';
      }
      default:
        return this.#chunked(buffer, start, end, sink);
    }
  }

  #chunked(buffer: Buffer, start: number, end: number, sink: BodySink): BodyStep {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case SIZE: {
          const failure = this.#sizeByte(buffer[at]!);
          if (failure !== null) return this.#fail(failure);
          at++;
          break;
        }
        case EXTENSION:
          for (; at < end && (CLASSES[buffer[at]!]! & FIELD_VALUE) !== 0; at++) this.#extensionBytes++;
          if (this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES)
            return this.#fail('too many chunk extensions');
          if (at === end) break;
          if (buffer[at++] !== CR) return this.#fail('a control byte in a chunk extension');
          this.#state = SIZE_LF;
          break;
        case SIZE_LF:
          if (buffer[at++] !== LF) return this.#fail('a chunk size line must end in CRLF');
          this.#digits = 0;
          this.#state = this.#remaining === 0 ? TRAILERS : DATA;
          break;
        case DATA: {
          const taken = Math.min(end - at, this.#remaining);
          this.#remaining -= taken;
          if (this.#remaining === 0) this.#state = DATA_CR;
          sink.onBody(buffer, at, at + taken);
          at += taken;
          break;
        }
        case DATA_CR:
          if (buffer[at++] !== CR) return this.#fail('chunk data must end in CRLF');
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (buffer[at++] !== LF) return this.#fail('chunk data must end in CRLF');
          this.#state = SIZE;
          break;
        default:
          return this.#readTrailers(buffer, at, end);
      }
    }
    this.next = at;
    return 'more';
  }

  /** One byte of `chunk-size [BWS ";" ...] CRLF`; a reason when it does not belong there. */
  #sizeByte(byte: number): string | null {
    const digit = HEX[byte]!;
    if (digit >= 0 && !this.#sizeEnded) {
      if (++this.#digits > MAX_CHUNK_SIZE_DIGITS) return 'a chunk size has too many digits';
      this.#remaining = this.#remaining * 16 + digit;
      return null;
    }
    if (this.#digits === 0) return 'a chunk size is not hexadecimal';
    if (byte === SEMICOLON) {
      this.#sizeEnded = false;
      this.#state = EXTENSION;
      return null;
    }
    if (byte === SPACE || byte === TAB) {
      this.#sizeEnded = true;
      return ++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES ? 'too many chunk extensions' : null;
    }
    if (byte !== CR || this.#sizeEnded) return 'a chunk size is not hexadecimal';
    this.#state = SIZE_LF;
    return null;
  }

  /** White space was read after the digits: only an extension may follow. */
  #sizeEnded = false;

  #readTrailers(buffer: Buffer, start: number, end: number): BodyStep {
    this.#trailerReader ??= new HeadReader('trailers');
    const reader = this.#trailerReader;
    const step = reader.read(buffer, start, end);
    this.next = reader.next;
    if (step === 'failed') return this.#fail(reader.parser.failure, reader.parser.failureStatus);
    if (step === 'more') return 'more';
    this.trailers = copyFields(reader.buffer, reader.parser, (field) => field === OTHER, FORBIDDEN_TRAILERS);
    this.#state = NONE;
    return 'done';
  }
}

/** Fields that steer routing, framing or authentication mean nothing after the body (RFC 9110 6.5.1). */
const FORBIDDEN_TRAILERS = [
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'max-forwards',
  'set-cookie',
  'trailer',
];

/** Frames up to this many bytes are written as one string together with their size line. */
const SMALL_CHUNK_BYTES = 4096;
export const LAST_CHUNK = '0\r\n\r\n';

export type Frame = string | Buffer;

/** `data` as one chunk; strings are latin1. */
export function encodeChunk(data: Buffer): Frame[] {
  const size = `${data.length.toString(16)}\r\n`;
  if (data.length <= SMALL_CHUNK_BYTES) return [`${size}${latin1(data, 0, data.length)}\r\n`];
  return [size, data, '\r\n'];
}

export function lastChunk(trailers: string): string {
  return trailers === '' ? LAST_CHUNK : `0\r\n${trailers}\r\n`;
}
