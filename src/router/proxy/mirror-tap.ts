import { encodeChunk, type Frame, lastChunk } from '../http/body-decoder.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Backend } from './backend.ts';
import { MAX_KEPT_BODY_BYTES } from './context.ts';
import type { LaneSide } from './ports.ts';

/** Keeps a request's body while it passes, for the copy; a body above the bound is not mirrored. */
export class MirrorTap {
  readonly #backend: Backend;
  readonly #head: RequestHead;
  #frames: Frame[] | null = [];
  #bytes = 0;

  constructor(backend: Backend, head: RequestHead) {
    this.#backend = backend;
    this.#head = head;
  }

  add(data: Buffer): void {
    if (this.#frames === null) return;
    this.#bytes += data.length;
    if (this.#bytes > MAX_KEPT_BODY_BYTES) this.#frames = null;
    else this.#frames.push(...(this.#head.framing.kind === 'chunked' ? encodeChunk(data) : [data]));
  }

  end(trailers: string): void {
    if (this.#head.framing.kind === 'chunked') this.#frames?.push(lastChunk(trailers));
  }

  send(lane: LaneSide): void {
    if (this.#frames !== null) lane.sendMirror(this.#backend, this.#head, this.#frames);
  }
}
