import assert from 'node:assert/strict';
import { availableParallelism, loadavg } from 'node:os';
import { sleep } from '../../../src/platform/clock.ts';

const POLL_MS = 20;

/**
 * Looks until `look` gives something other than false, null and undefined; a look that throws counts as not yet. Fails
 * with `what`, and the last thing seen or thrown, when the deadline passes.
 */
export async function until<Found>(
  what: string,
  look: () => Promise<Found | false | null | undefined> | Found | false | null | undefined,
  deadlineMs = 20_000,
): Promise<Found> {
  const started = Date.now();
  let last = 'nothing';
  for (;;) {
    try {
      const found = await look();
      if (found !== false && found !== null && found !== undefined) return found;
    } catch (error) {
      last = (error as Error).message;
    }
    if (Date.now() - started > deadlineMs)
      assert.fail(`${what}: not within ${deadlineMs} ms (last: ${last})`);
    await sleep(POLL_MS);
  }
}

const MOST = 5;

/**
 * A promise in seconds is made for a machine that has time: where more is running than there are cores, each second of work
 * takes as many times longer. The figures that are told are as measured.
 */
export function patient(ms: number): number {
  return ms * Math.min(MOST, Math.max(1, (loadavg()[0] ?? 1) / availableParallelism()));
}
