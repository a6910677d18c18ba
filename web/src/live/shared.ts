import { type LiveEvent, openSource } from './source.ts';

/**
 * One connection per browser, not per tab: browsers allow six connections to a host over HTTP/1.1, and each open tab would
 * hold one. The tab that holds a Web Lock opens the stream for what all tabs want and passes the events on; when it closes,
 * the lock moves to the next tab. Without locks (plain http from another machine) each tab has its own.
 */
export interface Shared {
  /** Replaces what this tab wants. */
  want(topics: readonly string[]): void;
  /** Closes the connection of a session that ended. */
  close(): void;
}

type Message =
  | { kind: 'want'; tab: string; topics: readonly string[] }
  | { kind: 'bye'; tab: string }
  | { kind: 'who' }
  | { kind: 'event'; event: LiveEvent }
  | { kind: 'down' };

const REMIND_MS = 20_000;
/** Hidden tabs run timers once a minute; a tab unheard for longer has gone. */
const FORGET_MS = 150_000;
const SETTLE_MS = 50;

export function openShared(options: { onEvent(event: LiveEvent): void; onDown(): void }): Shared {
  const tab = Math.random().toString(36).slice(2);
  const sharing = typeof BroadcastChannel === 'function' && navigator.locks !== undefined;
  const channel = sharing ? new BroadcastChannel('slipway.live') : null;
  const others = new Map<string, { topics: readonly string[]; heardMs: number }>();
  const stop = new AbortController();
  let mine: readonly string[] = [];
  let leading = !sharing;
  let source: ReturnType<typeof openSource> | null = null;
  let open = '';
  let settle: ReturnType<typeof setTimeout> | undefined;

  const post = (message: Message) => channel?.postMessage(message);
  const announce = () => post({ kind: 'want', tab, topics: mine });

  function deliver(event: LiveEvent) {
    options.onEvent(event);
    if (others.size > 0) post({ kind: 'event', event });
  }

  function reopen() {
    if (!leading || stop.signal.aborted) return;
    const now = Date.now();
    for (const [id, other] of others) if (now - other.heardMs > FORGET_MS) others.delete(id);
    const wanted = [...new Set([...mine, ...[...others.values()].flatMap((other) => other.topics)])].sort();
    if (wanted.join() === open) return;
    open = wanted.join();
    const from = source?.lastEntry() ?? null;
    source?.close();
    source = null;
    if (wanted.length === 0) return;
    source = openSource({
      topics: wanted,
      from: from === null ? null : from + 1,
      onEvent: deliver,
      onDown() {
        options.onDown();
        post({ kind: 'down' });
      },
    });
  }

  /** Pages change what they want in several steps; the connection follows once. */
  function later() {
    clearTimeout(settle);
    settle = setTimeout(reopen, SETTLE_MS);
  }

  function hear({ data }: MessageEvent<Message>) {
    if (data.kind === 'event' && !leading) options.onEvent(data.event);
    else if (data.kind === 'down' && !leading) options.onDown();
    else if (data.kind === 'who') announce();
    else if (data.kind === 'bye') others.delete(data.tab);
    else if (data.kind === 'want') others.set(data.tab, { topics: data.topics, heardMs: Date.now() });
    if (leading && (data.kind === 'want' || data.kind === 'bye')) later();
  }

  channel?.addEventListener('message', hear);
  const reminder = sharing ? setInterval(announce, REMIND_MS) : undefined;
  addEventListener('pagehide', () => post({ kind: 'bye', tab }), { signal: stop.signal });
  document.addEventListener('visibilitychange', announce, { signal: stop.signal });
  if (sharing)
    navigator.locks
      .request('slipway.live', { signal: stop.signal }, async () => {
        leading = true;
        post({ kind: 'who' });
        later();
        await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
      })
      .catch(() => {});

  return {
    want(topics) {
      mine = [...topics];
      announce();
      later();
    },
    close() {
      post({ kind: 'bye', tab });
      stop.abort();
      clearInterval(reminder);
      clearTimeout(settle);
      source?.close();
      channel?.close();
    },
  };
}
