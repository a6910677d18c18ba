import { randomBytes } from 'node:crypto';

/** Time and randomness, handed in so that the simulator and the tests can replay them. */
export interface Clock {
  nowMs(): number;
  random(bytes: number): Uint8Array;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  random: (bytes) => randomBytes(bytes),
};

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
