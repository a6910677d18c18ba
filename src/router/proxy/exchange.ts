import { shortDigest } from '../../kernel/digest.ts';
import type { Selection } from '../balance/selection.ts';
import { encodeChunk, type Frame, lastChunk } from '../http/body-decoder.ts';
import { problemAnswer } from '../http/problem.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { Backend } from './backend.ts';
import { MAX_ATTEMPTS, MAX_KEPT_BODY_BYTES, MAX_REPLAYS } from './context.ts';
import type { ClientSide, LaneSide } from './ports.ts';
import type { AnswerSink, UpstreamConnection, UpstreamFailure } from './upstream-connection.ts';

/** Methods a request may be sent twice with (RFC 9110 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
const RETRY_AFTER_S = 1;

/**
 * One request and its answer. The request goes to one backend after another until one takes it; once a backend may have
 * seen it, only an idempotent one that is still held whole is sent again. Every attempt counts for the backend it was
 * made on, except the race with an idle connection that the backend was just closing.
 */
export class Exchange implements AnswerSink {
  /** On the coarse clock: nothing moved by then means that one side is stuck. */
  deadlineMs = 0;
  /** The request was read whole from the client. */
  requestDone: boolean;

  readonly #client: ClientSide;
  readonly #lane: LaneSide;
  readonly #head: RequestHead;
  readonly #selection: Selection;
  readonly #answer: AnswerWriter;
  readonly #idempotent: boolean;
  /** Request frames for the next attempt; null when the request can no longer be sent again. */
  #kept: Frame[] | null = [];
  #keptBytes = 0;

  #backend: Backend | null = null;
  #upstream: UpstreamConnection | null = null;
  #attached = false;
  #reused = false;
  #freshOnly = false;
  #timedOut = false;
  #attemptStartMs = 0;
  #attempts = 0;
  #replays = 0;
  readonly #tried: Backend[] = [];

  #status = 0;
  #settled = false;
  #idleMs: number;
  #upstreamPaused = false;
  #clientPaused = false;
  #tunnel = false;
  #over = false;

  constructor(client: ClientSide, lane: LaneSide, head: RequestHead, selection: Selection) {
    this.#client = client;
    this.#lane = lane;
    this.#head = head;
    this.#selection = selection;
    this.#answer = new AnswerWriter(client, head);
    this.#idempotent = IDEMPOTENT.has(head.method);
    this.#idleMs = lane.context.timeouts.idleMs;
    this.requestDone = head.framing.kind === 'none';
  }

  /** Sends the request on; what was fed of its body so far goes with the head. */
  start(): void {
    this.#dispatch();
    if (!this.#over && !this.#attached && !this.requestDone) this.#pauseClient();
  }

  get isTunnel(): boolean {
    return this.#tunnel;
  }

  // The request, from the client.

  /** The buffer stays the exchange's. */
  onRequestBody(data: Buffer): void {
    this.#sendFrames(this.#head.framing.kind === 'chunked' ? encodeChunk(data) : [data], data.length);
  }

  onRequestEnd(trailers: string): void {
    if (this.#head.framing.kind === 'chunked') this.#sendFrames([lastChunk(trailers)], trailers.length);
    this.requestDone = true;
  }

  #sendFrames(frames: readonly Frame[], bytes: number): void {
    this.#touch();
    if (this.#kept !== null) {
      this.#kept.push(...frames);
      this.#keptBytes += bytes;
      if (this.#attached && this.#keptBytes > MAX_KEPT_BODY_BYTES) this.#kept = null;
    }
    if (!this.#attached || this.#upstream === null) return;
    let ready = true;
    for (const frame of frames) ready = this.#upstream.write(frame);
    if (!ready) this.#pauseClient();
  }

  onTunnelRequest(data: Buffer): void {
    this.#touch();
    if (this.#upstream !== null && !this.#upstream.write(data)) this.#pauseClient();
  }

  onTunnelRequestEnd(): void {
    this.#upstream?.end();
  }

  onClientDrain(): void {
    this.#touch();
    if (!this.#upstreamPaused) return;
    this.#upstreamPaused = false;
    this.#upstream?.resume();
  }

  /** The client is gone. Its wait so far counts: a version that makes clients give up must not look fast. */
  onClientGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#upstream?.destroy();
    this.#settle(false);
  }

  /** The client broke the protocol in its body; answers when nothing was answered yet. */
  onClientFault(status: number, detail: string): void {
    if (this.#over) return;
    this.#upstream?.destroy();
    this.#settle(false);
    this.#conclude(status, detail);
  }

  onDeadline(): void {
    if (this.#over) return;
    if (this.#upstreamPaused || this.#tunnel) {
      this.onClientGone();
      this.#client.abort();
    } else if (!this.requestDone && !this.#clientPaused && !this.#answer.headWritten) {
      this.onClientFault(408, 'the request did not arrive in time');
    } else {
      this.#upstream?.destroy();
      this.#settle(true);
      this.#conclude(504, 'the instance did not answer in time');
    }
  }

  // Attempts.

  #dispatch(): void {
    const { context } = this.#lane;
    this.#touch();
    const again = this.#freshOnly && this.#backend?.serving ? this.#backend : null;
    const backend =
      again ?? (this.#attempts < MAX_ATTEMPTS ? this.#lane.choose(this.#selection, this.#tried) : null);
    if (backend === null) {
      if (this.#attempts === 0) this.#conclude(503, 'no instance serves this lane');
      else this.#conclude(this.#timedOut ? 504 : 502, 'no instance could be reached');
      return;
    }
    this.#attempts++;
    this.#backend = backend;
    this.#settled = false;
    this.#attached = false;
    this.#status = 0;
    this.#attemptStartMs = context.monotonicMs();
    backend.counters.inFlight++;
    const pooled = this.#freshOnly ? null : backend.take(this.#idempotent);
    this.#freshOnly = false;
    this.#reused = pooled !== null;
    this.#upstream = pooled ?? backend.open(this);
    if (pooled !== null) this.#attach();
  }

  onConnected(): void {
    this.#attach();
    this.#resumeClient();
  }

  #attach(): void {
    const upstream = this.#upstream!;
    const head = this.#head;
    this.#attached = true;
    upstream.begin(this, head.method === 'HEAD', head.upgrade);
    const frames = this.#kept!;
    if (frames.length === 0) {
      upstream.write(head.text);
    } else {
      upstream.cork();
      upstream.write(head.text);
      for (const frame of frames) upstream.write(frame);
      upstream.uncork();
    }
    if (!this.#idempotent || this.#keptBytes > MAX_KEPT_BODY_BYTES) this.#kept = null;
  }

  onUpstreamFailure(failure: UpstreamFailure): void {
    if (this.#over) return;
    const backend = this.#backend!;
    const unseen = this.#attached && !this.#upstream!.answerSeen;
    this.#answer.flush();
    if (this.#tunnel) {
      this.#endTunnel();
    } else if (failure === 'refused' || failure === 'connect_timeout') {
      this.#settle(true);
      this.#timedOut = failure === 'connect_timeout';
      this.#lane.connectFailed(backend, this.#timedOut);
      this.#tried.push(backend);
      this.#dispatch();
    } else if (unseen && this.#kept !== null && this.#reused) {
      this.#release();
      this.#freshOnly = true;
      this.#dispatch();
    } else if (unseen && this.#kept !== null && this.#replays < MAX_REPLAYS) {
      this.#replays++;
      this.#settle(true);
      this.#tried.push(backend);
      this.#dispatch();
    } else {
      this.#settle(true);
      this.#conclude(
        502,
        failure === 'protocol' ? 'the answer of the instance is not HTTP' : 'the instance hung up',
      );
    }
  }

  // The answer, from the backend.

  onAnswerHead(head: ResponseHead): void {
    this.#touch();
    if (head.status < 200 && head.status !== 101) {
      this.#answer.interim(head);
      return;
    }
    this.#status = head.status;
    this.#backend!.answered();
    if (head.status === 101) this.#becomeTunnel();
    if (head.eventStream) this.#idleMs = this.#lane.context.timeouts.streamIdleMs;
    // A client that is still sending cannot be told apart later from one that will never finish.
    this.#answer.head(head, this.#cookieLine(), this.requestDone && !this.#client.last);
  }

  #cookieLine(): string {
    const sticky = this.#lane.stickyCookie;
    if (!this.#selection.setCookie || sticky === null) return '';
    const backend = this.#backend!;
    const value = `${backend.group}.${shortDigest(backend.digest)}`;
    return `Set-Cookie: ${sticky.cookie}=${value}; Max-Age=${sticky.ttlS}; Path=/; HttpOnly; SameSite=Lax\r\n`;
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.#answer.body(buffer, start, end);
  }

  onFlush(): void {
    if (this.#over) return;
    this.#touch();
    this.#answer.flush();
    this.#heedClient();
  }

  onAnswerEnd(trailers: string, reusable: boolean): void {
    const upstream = this.#upstream!;
    this.#over = true;
    this.#settle(false);
    if (reusable && this.requestDone && !this.#upstreamPaused) this.#backend!.put(upstream);
    else upstream.destroy();
    this.#answer.end(trailers);
    this.#resumeClient();
    this.#client.exchangeEnded(this.#answer.keep && this.requestDone);
  }

  onUpstreamDrain(): void {
    this.#touch();
    this.#resumeClient();
  }

  // Tunnels: a request counts when its handshake was answered, and is in flight until the tunnel ends.

  #becomeTunnel(): void {
    this.#tunnel = true;
    this.#idleMs = this.#lane.context.timeouts.streamIdleMs;
    this.#count(false);
    this.#client.becomeTunnel();
  }

  onTunnelData(buffer: Buffer, start: number, end: number): void {
    this.#touch();
    this.#answer.raw(buffer, start, end);
  }

  #endTunnel(): void {
    this.#over = true;
    this.#release();
    this.#client.endTunnel();
  }

  // Ends.

  /** The router's own answer where none was begun; else the connection breaks, which is all the client can be told. */
  #conclude(status: number, detail: string): void {
    this.#over = true;
    if (status >= 500) this.#lane.countUnrouted();
    if (this.#answer.headWritten) {
      this.#client.abort();
      return;
    }
    const keep =
      this.requestDone && this.#head.keepAlive && this.#head.minorVersion === 1 && !this.#client.last;
    const withBody = this.#head.method !== 'HEAD';
    const retry = status === 503 ? { retryAfterS: RETRY_AFTER_S } : {};
    this.#client.write(problemAnswer(status, detail, { withBody, close: !keep, ...retry }));
    this.#resumeClient();
    this.#client.exchangeEnded(keep);
  }

  /** Closes the attempt's books. */
  #settle(failed: boolean): void {
    if (!this.#tunnel) this.#count(failed);
    this.#release();
  }

  #release(): void {
    if (this.#settled || this.#backend === null) return;
    this.#settled = true;
    this.#backend.counters.inFlight--;
  }

  #count(failed: boolean): void {
    const backend = this.#backend;
    if (backend === null || this.#settled) return;
    const seconds = (this.#lane.context.monotonicMs() - this.#attemptStartMs) / 1000;
    backend.counters.record(seconds, this.#status, failed);
    backend.version.record(seconds, this.#status, failed);
  }

  #touch(): void {
    this.deadlineMs = this.#lane.context.coarseMs + this.#idleMs;
  }

  #heedClient(): void {
    if (!this.#answer.takeFull() || this.#upstreamPaused) return;
    this.#upstreamPaused = true;
    this.#upstream?.pause();
  }

  #pauseClient(): void {
    if (this.#clientPaused) return;
    this.#clientPaused = true;
    this.#client.pauseReading();
  }

  #resumeClient(): void {
    if (!this.#clientPaused) return;
    this.#clientPaused = false;
    this.#client.resumeReading();
  }
}
