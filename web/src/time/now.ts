import { useCallback, useSyncExternalStore } from 'react';

/** One clock for the page: every relative time moves on the same beat, and only texts that change are drawn. */
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
/** Server minus browser: ages are counted on the server's clock. */
let skewMs = 0;

export function nowMs(): number {
  return Date.now() + skewMs;
}

export function serverTimeIs(atMs: number): void {
  if (Number.isFinite(atMs)) skewMs = atMs - Date.now();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    for (const one of listeners) one();
  }, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** A value derived from the time now; the component draws again only when it changes. */
export function useNow<Value extends string | number | boolean>(derive: (nowMs: number) => Value): Value {
  return useSyncExternalStore(
    subscribe,
    useCallback(() => derive(nowMs()), [derive]),
  );
}

const wholeSecond = (ms: number) => Math.floor(ms / 1_000) * 1_000;

/** Now, to the second. */
export function useSecond(): number {
  return useNow(wholeSecond);
}
