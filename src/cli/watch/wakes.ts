import { isSlipwayError } from '../../kernel/errors.ts';
import type { Api } from '../api/client.ts';
import { readEvents } from './sse.ts';

/** Says when it is worth looking again. */
export interface Wakes {
  /** Resolves on news or after `ms`; rejects when the server will not let us watch any more. */
  wait(ms: number): Promise<void>;
  stop(): void;
}

/** The server sends a ping every 10 s; a stream that is silent for longer is dead. */
const SILENT_MS = 35_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4_000;

/**
 * Listens to /v1/stream. Its events only wake: whoever is woken looks for itself, so that nothing depends on none being
 * missed. A stream that ends (the server restarts) is opened again where it was, by Last-Event-ID.
 */
export function listen(connect: () => Promise<Api>, topics: string, signal: AbortSignal): Wakes {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  let news = false;
  let failure: unknown = null;
  let resolveWait: (() => void) | null = null;
  const wake = () => {
    news = true;
    resolveWait?.();
  };
  until.addEventListener('abort', wake, { once: true });
  void keepListening(connect, topics, until, wake).catch((error: unknown) => {
    failure = error;
    wake();
  });
  return {
    async wait(ms) {
      if (!news) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          resolveWait = resolve;
          timer = setTimeout(resolve, ms);
        });
        clearTimeout(timer);
        resolveWait = null;
      }
      news = false;
      if (failure !== null) throw failure;
    },
    stop: () => stop.abort(),
  };
}

async function keepListening(
  connect: () => Promise<Api>,
  topics: string,
  until: AbortSignal,
  wake: () => void,
): Promise<void> {
  let last: string | null = null;
  let delayMs = FIRST_RETRY_MS;
  while (!until.aborted) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENT_MS);
    try {
      const api = await connect();
      const headers = { accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) };
      const path = `/v1/stream?topics=${encodeURIComponent(topics)}`;
      const response = await api.open(path, headers, AbortSignal.any([until, silence.signal]));
      for await (const event of readEvents(response.body as ReadableStream<Uint8Array>, () => {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENT_MS);
      })) {
        delayMs = FIRST_RETRY_MS;
        last = event.id ?? last;
        if (event.event !== 'ping') wake();
      }
    } catch (error) {
      if (isSlipwayError(error) && !error.retryable) throw error;
    } finally {
      clearTimeout(timer);
    }
    // What happened in between is seen by looking.
    wake();
    await new Promise<void>((resolve) => {
      const pause = setTimeout(resolve, delayMs);
      until.addEventListener(
        'abort',
        () => {
          clearTimeout(pause);
          resolve();
        },
        { once: true },
      );
    });
    delayMs = Math.min(LAST_RETRY_MS, delayMs * 2);
  }
}
