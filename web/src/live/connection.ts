import type { QueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { createApply } from './apply.ts';
import { openShared, type Shared } from './shared.ts';

/** The live connection of this tab: who wants which topics, and when it was last heard. */

const wanted = new Map<symbol, readonly string[]>();
const listeners = new Set<() => void>();
let shared: Shared | null = null;
let heard: { atMs: number; down: boolean } = { atMs: Date.now(), down: false };

/** Opens the stream for a signed-in tab; the answer closes it. */
export function connect(client: QueryClient, onDown: () => void): () => void {
  const apply = createApply(client);
  heard = { atMs: Date.now(), down: false };
  const opened = openShared({
    onEvent(event) {
      const wasDown = heard.down;
      heard = { atMs: Date.now(), down: false };
      if (wasDown) {
        // What happened meanwhile is unknown: everything shown is asked for again.
        void client.invalidateQueries();
        notify();
      }
      apply(event);
    },
    onDown() {
      heard = { ...heard, down: true };
      notify();
      onDown();
    },
  });
  shared = opened;
  tell();
  return () => {
    opened.close();
    if (shared === opened) shared = null;
  };
}

function tell(): void {
  shared?.want([...new Set([...wanted.values()].flat())]);
}

function notify(): void {
  for (const listener of listeners) listener();
}

/** Live events of these topics while the component is there: `entries`, `matrix`, `rollout:<id>`. */
export function useTopics(...topics: readonly string[]): void {
  const key = topics.join(',');
  useEffect(() => {
    const id = Symbol(key);
    wanted.set(id, key === '' ? [] : key.split(','));
    tell();
    return () => {
      wanted.delete(id);
      tell();
    };
  }, [key]);
}

/** A server sends something at least every 10 s, and the matrix every second. */
const QUIET_MS = { ping: 13_000, matrix: 5_000 };

export interface Connection {
  state: 'live' | 'stale';
  /** Seconds since anything was heard, when stale. */
  seconds: number;
}

function read(): string {
  const quiet = [...wanted.values()].flat().includes('matrix') ? QUIET_MS.matrix : QUIET_MS.ping;
  const ageMs = Date.now() - heard.atMs;
  return ageMs > quiet || (heard.down && ageMs > 2_000) ? `stale ${Math.floor(ageMs / 1_000)}` : 'live 0';
}

export function useConnection(): Connection {
  const text = useSyncExternalStore(subscribe, read);
  const [state, seconds] = text.split(' ') as [Connection['state'], string];
  return { state, seconds: Number(seconds) };
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  const timer = setInterval(listener, 1_000);
  return () => {
    listeners.delete(listener);
    clearInterval(timer);
  };
}
