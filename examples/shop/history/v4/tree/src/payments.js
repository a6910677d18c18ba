import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Stands in for a payment provider behind the network. Round trips follow a log-normal law, as such peers do: median
 * 8 ms, p95 14 ms, p99 18 ms; which order is slow follows from its number, so a run can be repeated.
 */
export function createPayments({ medianMs = 8, spread = 0.35 } = {}) {
  const roundTrip = (call, key) =>
    wait(Math.min(250, medianMs * Math.exp(spread * normal(`${call} ${key}`))));
  return {
    /** Takes the money; declines nothing below 10,000.00. */
    async authorize(number, amountCents) {
      await roundTrip('authorize', number);
      return { approved: amountCents < 1_000_000 };
    },
    /** Asks the bank to settle a batch of orders; the answer comes later and nobody waits for it here. */
    async settle(numbers) {
      if (numbers.length === 0) throw new RangeError('an empty batch');
    },
  };
}

/** A standard normal deviate from the hash of `text` (Box-Muller). */
function normal(text) {
  const hash = createHash('sha256').update(text).digest();
  const u = (hash.readUInt32BE(0) + 1) / 2 ** 32;
  const v = hash.readUInt32BE(4) / 2 ** 32;
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
}
