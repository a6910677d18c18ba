interface Turn {
  stop: AbortController;
  done: Promise<unknown>;
}

export interface Turns {
  /** Asks whoever holds `key` to stop, waits for its end, then runs `work`. One at a time for a key, in order of arrival. */
  takeOver<T>(
    key: string,
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  busy(key: string): boolean;
}

/**
 * One piece of work at a time for a key, where a newcomer ends the one before: a client whose connection died comes back
 * before the server has noticed.
 */
export function createTurns(): Turns {
  const last = new Map<string, Turn>();
  return {
    busy: (key) => last.has(key),
    async takeOver(key, outer, work) {
      const before = last.get(key);
      before?.stop.abort();
      const stop = new AbortController();
      const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal;
      const done = (before?.done ?? Promise.resolve()).then(
        () => work(signal),
        () => work(signal),
      );
      const turn = { stop, done: done.catch(() => {}) };
      last.set(key, turn);
      try {
        return await done;
      } finally {
        if (last.get(key) === turn) last.delete(key);
      }
    },
  };
}
