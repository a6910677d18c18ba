import type { Frame } from '../http/body-decoder.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Backend } from './backend.ts';
import type { ProxyContext } from './context.ts';
import type { AnswerSink, UpstreamConnection } from './upstream-connection.ts';

/** A copy of a request for which nobody waits: sent once, its answer read and dropped, its figures kept apart. */
export class MirrorExchange implements AnswerSink {
  readonly deadlineMs: number;
  readonly #backend: Backend;
  readonly #head: RequestHead;
  readonly #frames: readonly Frame[];
  readonly #context: ProxyContext;
  readonly #onOver: (mirror: MirrorExchange) => void;
  readonly #startMs: number;
  #upstream: UpstreamConnection;
  #status = 0;
  #over = false;

  constructor(
    backend: Backend,
    head: RequestHead,
    frames: readonly Frame[],
    context: ProxyContext,
    onOver: (mirror: MirrorExchange) => void,
  ) {
    this.#backend = backend;
    this.#head = head;
    this.#frames = frames;
    this.#context = context;
    this.#onOver = onOver;
    this.#startMs = context.monotonicMs();
    this.deadlineMs = context.coarseMs + context.timeouts.idleMs;
    backend.mirrored.inFlight++;
    const pooled = backend.take(true);
    this.#upstream = pooled ?? backend.open(this);
    if (pooled !== null) this.onConnected();
  }

  onConnected(): void {
    this.#upstream.begin(this, this.#head.method === 'HEAD', false);
    this.#upstream.cork();
    this.#upstream.write(this.#head.text);
    for (const frame of this.#frames) this.#upstream.write(frame);
    this.#upstream.uncork();
  }

  onAnswerHead(head: ResponseHead): void {
    if (head.status >= 200) this.#status = head.status;
  }

  onBody(): void {}
  onFlush(): void {}
  onTunnelData(): void {}
  onUpstreamDrain(): void {}

  onAnswerEnd(_trailers: string, reusable: boolean): void {
    if (reusable) this.#backend.put(this.#upstream);
    else this.#upstream.destroy();
    this.#finish(false);
  }

  onUpstreamFailure(): void {
    this.#finish(true);
  }

  /** Gives up: the deadline passed or the router stops. */
  cancel(): void {
    this.#upstream.destroy();
    this.#finish(true);
  }

  #finish(failed: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#backend.mirrored.inFlight--;
    this.#backend.mirrored.record((this.#context.monotonicMs() - this.#startMs) / 1000, this.#status, failed);
    this.#onOver(this);
  }
}
