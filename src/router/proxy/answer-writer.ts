import { encodeChunk, lastChunk } from '../http/body-decoder.ts';
import { latin1 } from '../http/latin1.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { SMALL_BODY_BYTES } from './context.ts';
import type { ClientSide } from './ports.ts';

/**
 * Writes one answer to the client in the framing it understands, gathering the head and a small body into one write.
 * The buffers it is given are used again after each call, so what is not written as text is copied.
 */
export class AnswerWriter {
  readonly #client: ClientSide;
  readonly #request: RequestHead;
  #mode: 'none' | 'raw' | 'chunked' = 'none';
  #pending = '';
  #full = false;
  /** Another request may follow on the client's connection, as far as the framing goes. */
  keep = false;
  headWritten = false;

  constructor(client: ClientSide, request: RequestHead) {
    this.#client = client;
    this.#request = request;
  }

  /** An interim answer; a client of HTTP/1.0 would not understand one. */
  interim(head: ResponseHead): void {
    if (this.#request.minorVersion === 1) this.#pending += `${head.text}\r\n`;
  }

  /** `extra`: more header lines. `mayKeep`: nothing else stands against another request on this connection. */
  head(head: ResponseHead, extra: string, mayKeep: boolean): void {
    const { framing } = head;
    const modern = this.#request.minorVersion === 1;
    const delimited = framing.kind === 'none' || framing.kind === 'length' || modern;
    this.#mode = framing.kind === 'none' ? 'none' : framing.kind === 'length' || !modern ? 'raw' : 'chunked';
    this.keep = mayKeep && delimited && this.#request.keepAlive && head.status !== 101;
    this.#pending += head.text;
    if (this.#mode === 'chunked') this.#pending += 'Transfer-Encoding: chunked\r\n';
    if (!this.keep && head.status !== 101) this.#pending += 'Connection: close\r\n';
    else if (this.keep && !modern) this.#pending += 'Connection: keep-alive\r\n';
    this.#pending += `${extra}\r\n`;
    this.headWritten = true;
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#mode === 'none') return;
    if (end - start <= SMALL_BODY_BYTES && this.#pending.length <= SMALL_BODY_BYTES) {
      const text = latin1(buffer, start, end);
      this.#pending += this.#mode === 'chunked' ? `${text.length.toString(16)}\r\n${text}\r\n` : text;
      return;
    }
    const copy = Buffer.from(buffer.subarray(start, end));
    this.#client.cork();
    this.flush();
    if (this.#mode === 'raw') this.#write(copy);
    else for (const frame of encodeChunk(copy)) this.#write(frame);
    this.#client.uncork();
  }

  end(trailers: string): void {
    if (this.#mode === 'chunked') this.#pending += lastChunk(trailers);
    this.flush();
  }

  /** Bytes of a tunnel. */
  raw(buffer: Buffer, start: number, end: number): void {
    this.flush();
    this.#write(Buffer.from(buffer.subarray(start, end)));
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#pending === '') return;
    const text = this.#pending;
    this.#pending = '';
    this.#write(text);
  }

  /** True once when the client's buffer became full: wait for its drain. */
  takeFull(): boolean {
    const full = this.#full;
    this.#full = false;
    return full;
  }

  #write(frame: string | Buffer): void {
    if (!this.#client.write(frame)) this.#full = true;
  }
}
