import { connect, type Socket } from 'node:net';
import type { Logger } from '../../platform/log.ts';
import { BodyDecoder, type BodySink, type Frame } from '../http/body-decoder.ts';
import { HeadReader } from '../http/head-reader.ts';
import { type ResponseHead, readResponseHead } from '../http/response-head.ts';
import { MAX_INFORMATIONAL, type ProxyContext } from './context.ts';

/** `refused` and `connect_timeout`: nothing was sent. `closed`: the backend hung up. `protocol`: its answer is not HTTP. */
export type UpstreamFailure = 'refused' | 'connect_timeout' | 'closed' | 'protocol';

/** Who sent the request on a connection and takes the answer. Buffers are used again after each call. */
export interface AnswerSink extends BodySink {
  onConnected(): void;
  /** Every head, interim ones (1xx) included; after 101 `onTunnelData` follows. */
  onAnswerHead(head: ResponseHead): void;
  onTunnelData(buffer: Buffer, start: number, end: number): void;
  /** All bytes read so far were handed over. */
  onFlush(): void;
  /** `reusable`: as far as the answer goes. The connection has no sink any more. */
  onAnswerEnd(trailers: string, reusable: boolean): void;
  onUpstreamDrain(): void;
  /** The connection is gone before the answer ended. */
  onUpstreamFailure(failure: UpstreamFailure): void;
}

// Reads are handled before the next one starts, so all connections share one buffer; what must outlive it is copied.
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);
const TCP_KEEPALIVE_MS = 15_000;

type State = 'connecting' | 'idle' | 'head' | 'body' | 'tunnel' | 'dead';

/** One keep-alive connection to a backend: carries one request at a time and reads its answer strictly. */
export class UpstreamConnection {
  /** When it went back to the pool, on the coarse clock. */
  idleSinceMs = 0;
  /** How long the backend says it keeps an idle connection; null when it does not say. */
  keepAliveTimeoutMs: number | null = null;
  /** Requests begun on it. */
  requests = 0;
  /** A byte of the answer to the current request was seen. */
  answerSeen = false;

  readonly #socket: Socket;
  readonly #log: Logger;
  readonly #reader = new HeadReader('response');
  readonly #decoder = new BodyDecoder();
  #state: State = 'connecting';
  #sink: AnswerSink | null;
  #toHead = false;
  #upgrade = false;
  #keepAlive = false;
  #informational = 0;
  #untilClose = false;
  #connectTimer: NodeJS.Timeout | null;
  #connectTimedOut = false;

  constructor(host: string, port: number, context: ProxyContext, sink: AnswerSink) {
    this.#sink = sink;
    this.#log = context.log;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEPALIVE_MS,
      onread: { buffer: READ_BUFFER, callback: (bytes) => this.#readGuarded(bytes) },
    });
    this.#connectTimer = setTimeout(() => {
      this.#connectTimedOut = true;
      this.#socket.destroy();
    }, context.timeouts.connectMs);
    this.#socket.on('connect', () => this.#connected());
    this.#socket.on('drain', () => this.#sink?.onUpstreamDrain());
    this.#socket.on('end', () => this.#ended());
    // The close event that follows says all there is to know.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#closed());
  }

  get usable(): boolean {
    return this.#state === 'idle' && this.#socket.writable;
  }

  /** Gives the connection a request; its head and body follow by `write`. */
  begin(sink: AnswerSink, toHead: boolean, upgrade: boolean): void {
    this.#sink = sink;
    this.#toHead = toHead;
    this.#upgrade = upgrade;
    this.#state = 'head';
    this.#informational = 0;
    this.#untilClose = false;
    this.answerSeen = false;
    this.requests++;
  }

  /** False when the caller should wait for `onUpstreamDrain`. Strings are latin1. */
  write(frame: Frame): boolean {
    return typeof frame === 'string' ? this.#socket.write(frame, 'latin1') : this.#socket.write(frame);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes the sending side of a tunnel. */
  end(): void {
    this.#socket.end();
  }

  /** Takes no further notice of the connection and closes it. */
  destroy(): void {
    this.#sink = null;
    this.#state = 'dead';
    this.#stopConnectTimer();
    this.#socket.destroy();
  }

  #stopConnectTimer(): void {
    if (this.#connectTimer !== null) clearTimeout(this.#connectTimer);
    this.#connectTimer = null;
  }

  #connected(): void {
    this.#stopConnectTimer();
    if (this.#state !== 'connecting') return;
    this.#state = 'idle';
    this.#sink?.onConnected();
  }

  /** A fault of ours over one answer must not take every other connection down; its client runs into the deadline. */
  #readGuarded(bytes: number): boolean {
    try {
      return this.#read(bytes);
    } catch (error) {
      this.#log.error({ err: error }, 'an answer could not be handled');
      this.destroy();
      return false;
    }
  }

  #read(bytes: number): boolean {
    const sink = this.#sink;
    if (sink === null || this.#state === 'idle') {
      // Bytes nobody asked for would be taken for the answer to the next request.
      this.destroy();
      return false;
    }
    if (this.#state === 'tunnel') {
      sink.onTunnelData(READ_BUFFER, 0, bytes);
    } else {
      this.answerSeen = true;
      this.#consume(sink, bytes);
    }
    if (this.#sink === sink) sink.onFlush();
    return true;
  }

  #consume(sink: AnswerSink, end: number): void {
    let at = 0;
    while (this.#sink === sink && this.#state === 'head' && at < end) {
      const step = this.#reader.read(READ_BUFFER, at, end);
      if (step === 'more') return;
      if (step === 'failed' || !this.#takeHead(sink)) {
        this.#fail('protocol');
        return;
      }
      at = this.#reader.next;
    }
    if (this.#sink !== sink) return;
    if (this.#state === 'tunnel') {
      if (at < end) sink.onTunnelData(READ_BUFFER, at, end);
    } else if (this.#state === 'body') {
      const step = this.#decoder.feed(READ_BUFFER, at, end, sink);
      if (this.#sink !== sink || step === 'more') return;
      // More bytes than the answer has: the backend and the router disagree, so the connection ends here.
      if (step === 'done') this.#complete(sink, this.#keepAlive && this.#decoder.next === end);
      else this.#fail('protocol');
    }
  }

  /** Judges a head that was read whole; false when it must not be passed on. */
  #takeHead(sink: AnswerSink): boolean {
    const head = readResponseHead(this.#reader.buffer, this.#reader.parser, this.#toHead);
    const unasked = 'reason' in head || (head.status === 101 && !this.#upgrade);
    if (unasked || (head.status < 200 && ++this.#informational > MAX_INFORMATIONAL)) return false;
    if (head.status === 101) {
      this.#state = 'tunnel';
    } else if (head.status >= 200) {
      this.#state = 'body';
      this.#keepAlive = head.keepAlive;
      this.#untilClose = head.framing.kind === 'close';
      if (head.keepAliveTimeoutS !== null) this.keepAliveTimeoutMs = head.keepAliveTimeoutS * 1000;
      this.#decoder.begin(head.framing);
    }
    sink.onAnswerHead(head);
    return true;
  }

  #complete(sink: AnswerSink, reusable: boolean): void {
    this.#sink = null;
    this.#state = 'idle';
    sink.onAnswerEnd(this.#decoder.trailers, reusable && this.#socket.writable);
  }

  #ended(): void {
    const sink = this.#sink;
    if (sink !== null && this.#state === 'body' && this.#untilClose) {
      this.#complete(sink, false);
      this.#state = 'dead';
    } else {
      this.#fail('closed');
    }
  }

  #closed(): void {
    this.#stopConnectTimer();
    if (this.#state === 'connecting') this.#fail(this.#connectTimedOut ? 'connect_timeout' : 'refused');
    else this.#fail('closed');
  }

  #fail(failure: UpstreamFailure): void {
    const sink = this.#sink;
    this.#sink = null;
    this.#state = 'dead';
    this.#socket.destroy();
    sink?.onUpstreamFailure(failure);
  }
}
