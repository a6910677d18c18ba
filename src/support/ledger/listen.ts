import type pg from 'pg';
import { sleep } from '../../platform/clock.ts';
import type { Database } from '../../platform/postgres/database.ts';

export interface Wakes {
  /** Resolves on a notification since the last call, after `timeoutMs`, or when the signal aborts. */
  next(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

const RECONNECT_MS = 500;

/** LISTENs on a connection of its own and reconnects for ever; what was missed meanwhile is covered by the timeout. */
export function listenForWakes(database: Database, channel: string, signal: AbortSignal): Wakes {
  let pending = false;
  let wake = () => {};
  const notify = () => {
    pending = true;
    wake();
  };
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  ended.addEventListener('abort', () => wake(), { once: true });
  const running = (async () => {
    while (!ended.aborted) {
      await listenUntilBroken(database, channel, ended, notify);
      await sleep(RECONNECT_MS, ended);
    }
  })();
  return {
    async next(timeoutMs) {
      if (!pending && !ended.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = () => {};
      }
      pending = false;
    },
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function listenUntilBroken(
  database: Database,
  channel: string,
  signal: AbortSignal,
  notify: () => void,
): Promise<void> {
  let client: pg.PoolClient;
  try {
    client = await database.pool.connect();
  } catch {
    return;
  }
  try {
    const broken = new Promise<void>((resolve) => {
      client.on('error', () => resolve());
      client.on('end', () => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    client.on('notification', notify);
    await client.query(`listen ${channel}`);
    notify();
    await broken;
  } catch {
    // reconnected by the caller
  } finally {
    // Never back into the pool: it still listens.
    client.release(true);
  }
}
