import { type HeadKind, HeadParser, type ParseStep } from './head-parser.ts';
import { MAX_HEAD_BYTES } from './limits.ts';

const FIRST_HOLD_BYTES = 2048;

/**
 * Feeds a parser from chunks. A head that arrives in one chunk is parsed where it lies; one that arrives in pieces is
 * gathered in a buffer that doubles, so a peer that sends single bytes costs linear work.
 */
export class HeadReader {
  readonly parser: HeadParser;
  /** Where the parser's offsets point, until the next `read`. */
  buffer: Buffer = Buffer.alloc(0);
  /** Offset in the last chunk of the first byte after the section. */
  next = 0;
  #held: Buffer | null = null;
  #heldBytes = 0;
  #fresh = true;

  constructor(kind: HeadKind) {
    this.parser = new HeadParser(kind);
  }

  /** Reads `chunk` from `at` to `end`. After `done` the following call begins a new section. */
  read(chunk: Buffer, at: number, end: number): ParseStep {
    return this.#held === null ? this.#readInPlace(chunk, at, end) : this.#readHeld(chunk, at, end);
  }

  /** True when part of a section was read. */
  get begun(): boolean {
    return !this.#fresh && this.parser.begun;
  }

  #readInPlace(chunk: Buffer, at: number, end: number): ParseStep {
    this.parser.reset(at);
    this.#fresh = false;
    this.buffer = chunk;
    const step = this.parser.execute(chunk, end);
    this.next = this.parser.position;
    if (step === 'more') this.#hold(chunk, at, end);
    else this.#fresh = true;
    return step;
  }

  #hold(chunk: Buffer, at: number, end: number): void {
    const held = Buffer.allocUnsafeSlow(Math.max(FIRST_HOLD_BYTES, 2 * (end - at)));
    chunk.copy(held, 0, at, end);
    this.#held = held;
    this.#heldBytes = end - at;
    this.parser.rebase(-at);
  }

  #readHeld(chunk: Buffer, at: number, end: number): ParseStep {
    const before = this.#heldBytes;
    const taken = Math.min(end - at, MAX_HEAD_BYTES - before);
    let held = this.#held!;
    if (before + taken > held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * held.length, before + taken));
      held.copy(larger, 0, 0, before);
      held = larger;
      this.#held = held;
    }
    chunk.copy(held, before, at, at + taken);
    this.#heldBytes = before + taken;
    this.buffer = held;
    const step = this.parser.execute(held, this.#heldBytes);
    this.next = at + (this.parser.position - before);
    if (step !== 'more') {
      this.#held = null;
      this.#fresh = true;
    }
    return step;
  }
}
