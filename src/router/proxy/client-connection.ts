import type { Socket } from 'node:net';
import { BodyDecoder, type BodySink, type Frame } from '../http/body-decoder.ts';
import { HeadReader } from '../http/head-reader.ts';
import { problemAnswer } from '../http/problem.ts';
import { type Peer, readRequestHead } from '../http/request-head.ts';
import { Exchange } from './exchange.ts';
import { MirrorTap } from './mirror-tap.ts';
import type { ClientSide, LaneSide } from './ports.ts';

type State = 'head' | 'exchange' | 'tunnel' | 'closing' | 'closed';

/**
 * One client's connection: reads requests one after another, hands each to an exchange, and answers in order. What the
 * client sends ahead (pipelining) waits, one read's worth, while an answer is under way.
 */
export class ClientConnection implements ClientSide, BodySink {
  readonly #socket: Socket;
  readonly #lane: LaneSide;
  readonly #peer: Peer;
  readonly #onClosed: (connection: ClientConnection) => void;
  readonly #reader = new HeadReader('request');
  readonly #decoder = new BodyDecoder();
  #state: State = 'head';
  #deadlineMs: number;
  #exchange: Exchange | null = null;
  #tap: MirrorTap | null = null;
  #waiting: Buffer | null = null;
  #consuming = false;
  #halfClosed = false;
  /** Answers wait in the socket for a client that reads slowly: no new request until they are gone. */
  #blocked = false;
  /** The next answer is the last on this connection, and says so. */
  last = false;

  constructor(socket: Socket, lane: LaneSide, peer: Peer, onClosed: (connection: ClientConnection) => void) {
    this.#socket = socket;
    this.#lane = lane;
    this.#peer = peer;
    this.#onClosed = onClosed;
    this.#deadlineMs = lane.context.coarseMs + lane.context.timeouts.clientIdleMs;
    socket.on('data', (chunk: Buffer) => this.#dataGuarded(chunk));
    socket.on('end', () => this.#ended());
    socket.on('drain', () => this.#drained());
    // The close event that follows says all there is to know.
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
  }

  /** A request is under way, or its first bytes were read. */
  get busy(): boolean {
    return (
      this.#state === 'exchange' || this.#state === 'tunnel' || (this.#state === 'head' && this.#reader.begun)
    );
  }

  /** Closes now when idle, else after the answer under way. */
  finish(): void {
    this.last = true;
    if (this.#state === 'head' && !this.#reader.begun) this.#close();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  sweep(nowMs: number): void {
    const exchange = this.#exchange;
    if (exchange !== null && this.#state !== 'closing') {
      if (nowMs > exchange.deadlineMs) exchange.onDeadline();
      else if (this.#halfClosed && nowMs > this.#deadlineMs) this.destroy();
    } else if (nowMs > this.#deadlineMs) {
      if (this.#state === 'head' && this.#reader.begun)
        this.#refuse(408, 'the request head did not arrive in time');
      else this.destroy();
    }
  }

  // Reading.

  /** A fault of ours over one client's bytes must not take every other connection down. */
  #dataGuarded(chunk: Buffer): void {
    try {
      this.#data(chunk);
    } catch (error) {
      this.#lane.context.log.error({ err: error }, 'a request could not be handled');
      this.destroy();
    }
  }

  #data(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (this.#state === 'tunnel') {
      exchange?.onTunnelRequest(chunk);
    } else if (this.#state === 'head') {
      if (this.#blocked) this.#wait(chunk, 0);
      else this.#consume(chunk, 0);
    } else if (this.#state === 'exchange' && exchange !== null) {
      if (exchange.requestDone) {
        this.#wait(chunk, 0);
        return;
      }
      const next = this.#feedBody(chunk, 0);
      this.#mirrorWhenDone(exchange);
      if (next < chunk.length && this.#state === 'exchange') this.#wait(chunk, next);
    }
  }

  #consume(chunk: Buffer, start: number): void {
    let at = start;
    this.#consuming = true;
    while (this.#state === 'head' && !this.#blocked && at < chunk.length) {
      const begun = this.#reader.begun;
      const step = this.#reader.read(chunk, at, chunk.length);
      if (step === 'failed') {
        const { failureStatus, failure } = this.#reader.parser;
        this.#refuse(failureStatus, failure);
        break;
      }
      if (step === 'more') {
        const { coarseMs, timeouts } = this.#lane.context;
        if (!begun) this.#deadlineMs = coarseMs + timeouts.headMs;
        break;
      }
      at = this.#begin(chunk, this.#reader.next);
    }
    this.#consuming = false;
    const ahead = this.#blocked || (this.#state === 'exchange' && this.#exchange!.requestDone);
    if (at < chunk.length && ahead) this.#wait(chunk, at);
  }

  /** Starts the exchange for the head just read; returns where its body ended in `chunk`. */
  #begin(chunk: Buffer, bodyStart: number): number {
    const { buffer, parser } = this.#reader;
    const head = readRequestHead(buffer, parser, this.#peer);
    if ('reason' in head) {
      this.#refuse(head.status, head.reason);
      return chunk.length;
    }
    const exchange = new Exchange(this, this.#lane, head, this.#lane.select(buffer, parser));
    this.#exchange = exchange;
    this.#state = 'exchange';
    const mirror = head.upgrade ? null : this.#lane.chooseMirror();
    this.#tap = mirror === null ? null : new MirrorTap(mirror, head);
    let at = bodyStart;
    if (!exchange.requestDone) {
      this.#decoder.begin(head.framing);
      at = this.#feedBody(chunk, bodyStart);
      if (this.#exchange !== exchange) return at;
    }
    exchange.start();
    this.#mirrorWhenDone(exchange);
    return at;
  }

  #feedBody(chunk: Buffer, start: number): number {
    const exchange = this.#exchange!;
    const step = this.#decoder.feed(chunk, start, chunk.length, this);
    if (step === 'failed') {
      this.last = true;
      exchange.onClientFault(this.#decoder.failureStatus, this.#decoder.failure);
      return chunk.length;
    }
    if (step === 'more') return chunk.length;
    exchange.onRequestEnd(this.#decoder.trailers);
    this.#tap?.end(this.#decoder.trailers);
    return this.#decoder.next;
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    const data = buffer.subarray(start, end);
    this.#exchange!.onRequestBody(data);
    this.#tap?.add(data);
  }

  #mirrorWhenDone(exchange: Exchange): void {
    if (this.#tap === null || this.#exchange !== exchange || !exchange.requestDone) return;
    this.#tap.send(this.#lane);
    this.#tap = null;
  }

  #wait(chunk: Buffer, at: number): void {
    const rest = chunk.subarray(at);
    this.#waiting = this.#waiting === null ? rest : Buffer.concat([this.#waiting, rest]);
    this.#socket.pause();
  }

  #ended(): void {
    this.#halfClosed = true;
    if (this.#state === 'tunnel') {
      this.#exchange?.onTunnelRequestEnd();
    } else if (this.#state === 'exchange' && !this.#exchange!.requestDone) {
      this.#socket.destroy();
    } else if (this.#state === 'exchange') {
      const { coarseMs, timeouts } = this.#lane.context;
      this.#deadlineMs = coarseMs + timeouts.halfClosedMs;
      this.last = true;
    } else {
      // Answers may still wait in our buffer.
      this.#socket.destroySoon();
    }
  }

  #closed(): void {
    this.#state = 'closed';
    this.#waiting = null;
    this.#exchange?.onClientGone();
    this.#exchange = null;
    this.#onClosed(this);
  }

  // Writing.

  #refuse(status: number, reason: string): void {
    this.#socket.write(problemAnswer(status, reason, { withBody: true, close: true }), 'latin1');
    this.#close();
  }

  /** Ends our side and drops what still comes in: closing at once could reset the connection under the answer. */
  #close(): void {
    const { coarseMs, timeouts } = this.#lane.context;
    this.#state = 'closing';
    this.#waiting = null;
    this.#deadlineMs = coarseMs + timeouts.idleMs;
    if (this.#halfClosed) {
      this.#socket.destroySoon();
      return;
    }
    this.#socket.end(() => {
      this.#deadlineMs = this.#lane.context.coarseMs + timeouts.lingerMs;
    });
    this.#socket.resume();
  }

  write(frame: Frame): boolean {
    return typeof frame === 'string' ? this.#socket.write(frame, 'latin1') : this.#socket.write(frame);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    if (this.#waiting === null && !this.#blocked) this.#socket.resume();
  }

  exchangeEnded(keep: boolean): void {
    this.#exchange = null;
    this.#tap = null;
    if (this.#state === 'closed') return;
    const { coarseMs, timeouts } = this.#lane.context;
    // A pipelined request behind the last answer we announced is not answered: the client knows from Connection.
    if (!keep || (this.last && this.#waiting === null)) {
      this.#close();
      return;
    }
    this.#state = 'head';
    this.#deadlineMs = coarseMs + timeouts.clientIdleMs;
    if (this.#socket.writableNeedDrain) {
      this.#blocked = true;
      this.#socket.pause();
    } else if (!this.#consuming) {
      this.#continue();
    }
  }

  /** Reads on with what the client sent ahead. */
  #continue(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    this.#socket.resume();
    this.#consume(waiting, 0);
  }

  #drained(): void {
    this.#exchange?.onClientDrain();
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#socket.resume();
    this.#continue();
  }

  becomeTunnel(): void {
    this.#state = 'tunnel';
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#socket.resume();
    if (waiting !== null) this.#exchange?.onTunnelRequest(waiting);
  }

  endTunnel(): void {
    this.#exchange = null;
    this.#close();
  }

  abort(): void {
    this.#exchange = null;
    this.#socket.destroy();
  }
}
