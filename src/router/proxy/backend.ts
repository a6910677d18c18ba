import type { Group, RouteBackend } from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import { Counters } from '../counters.ts';
import { FRESH_POOLED_MS, MAX_POOLED, type ProxyContext } from './context.ts';
import { type AnswerSink, UpstreamConnection } from './upstream-connection.ts';

const FIRST_EJECTION_MS = 500;
const LONGEST_EJECTION_MS = 30_000;
/** A backend closes an idle connection at its own time-out; ours ends this much earlier, so that the two do not race. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/** One instance as the router sees it: its figures, its health, its idle connections. */
export class Backend {
  readonly id: string;
  readonly digest: Digest;
  readonly host: string;
  readonly port: number;
  group: Group;
  /** Gets new requests. Connections of one that does not are closed when they become idle. */
  serving: boolean;
  readonly counters = new Counters();
  /** Copies sent to it, which nobody waits for. */
  readonly mirrored = new Counters();
  /** Figures of its version and group, which outlive it. */
  version: Counters;
  /** Until then other backends are preferred. */
  ejectedUntilMs = 0;
  /** When the lane stopped listing it; null while it does. */
  removedAtMs: number | null = null;
  #failures = 0;
  readonly #idle: UpstreamConnection[] = [];
  readonly #context: ProxyContext;

  constructor(route: RouteBackend, version: Counters, context: ProxyContext) {
    this.id = route.id;
    this.digest = route.digest;
    this.host = route.host;
    this.port = route.port;
    this.group = route.group;
    this.serving = route.state === 'serving';
    this.version = version;
    this.#context = context;
  }

  /** An idle connection, the most recently used first; null when there is none a request may use. */
  take(mayReplay: boolean): UpstreamConnection | null {
    const now = this.#context.coarseMs;
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (!connection.usable || now - connection.idleSinceMs > this.#idleLimitMs(connection)) {
        connection.destroy();
      } else if (!mayReplay && now - connection.idleSinceMs > FRESH_POOLED_MS) {
        this.#idle.push(connection);
        return null;
      } else {
        return connection;
      }
    }
  }

  open(sink: AnswerSink): UpstreamConnection {
    return new UpstreamConnection(this.host, this.port, this.#context, sink);
  }

  put(connection: UpstreamConnection): void {
    if (!this.serving || this.#idle.length >= MAX_POOLED || !connection.usable) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = this.#context.coarseMs;
    this.#idle.push(connection);
  }

  /** Closes pooled connections that are due; all of them once the backend serves no more. */
  sweep(): void {
    const now = this.#context.coarseMs;
    let kept = 0;
    for (const connection of this.#idle) {
      const due = now - connection.idleSinceMs > this.#idleLimitMs(connection);
      if (this.serving && connection.usable && !due) this.#idle[kept++] = connection;
      else connection.destroy();
    }
    this.#idle.length = kept;
  }

  answered(): void {
    this.#failures = 0;
    this.ejectedUntilMs = 0;
  }

  /** It could not be connected to: others come first for a while, longer each time. */
  eject(): void {
    const pauseMs = Math.min(FIRST_EJECTION_MS * 2 ** Math.min(this.#failures++, 16), LONGEST_EJECTION_MS);
    this.ejectedUntilMs = this.#context.coarseMs + pauseMs;
  }

  get pooled(): number {
    return this.#idle.length;
  }

  #idleLimitMs(connection: UpstreamConnection): number {
    const hint = connection.keepAliveTimeoutMs;
    if (hint === null) return this.#context.timeouts.pooledIdleMs;
    return Math.min(this.#context.timeouts.pooledIdleMs, Math.max(hint - KEEP_ALIVE_MARGIN_MS, hint / 2));
  }
}
