/** Server-sent events of one connection, kept open: what the server sends, and whether it is there. */

export const EVENT_TYPES = ['entry', 'rollout', 'evidence', 'matrix', 'ping'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface LiveEvent {
  type: EventType;
  /** The JSON text as it came. */
  text: string;
}

const REOPEN_MS = 1_500;

/**
 * `onDown` is told when an attempt failed for good (an answer that is no stream: signed out, server away); the next attempt
 * follows by itself. Ledger entries resume after the last one seen, so that none is missed.
 */
export function openSource(options: {
  topics: readonly string[];
  from: number | null;
  onEvent(event: LiveEvent): void;
  onDown(): void;
}): { close(): void; lastEntry(): number | null } {
  let last = options.from === null ? null : options.from - 1;
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function open() {
    const query = new URLSearchParams({ topics: [...options.topics].sort().join(',') });
    if (last !== null) query.set('from', String(last + 1));
    source = new EventSource(`/v1/stream?${query}`);
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (event) => {
        if (type === 'entry' && /^\d+$/.test(event.lastEventId)) last = Number(event.lastEventId);
        options.onEvent({ type, text: event.data });
      });
    }
    source.addEventListener('error', () => {
      // The browser reconnects by itself after a cut; after an answer that is no stream it gives up.
      if (source?.readyState !== EventSource.CLOSED) return;
      options.onDown();
      timer = setTimeout(open, REOPEN_MS + Math.random() * REOPEN_MS);
    });
  }

  open();
  return {
    close() {
      clearTimeout(timer);
      source?.close();
    },
    lastEntry: () => last,
  };
}
