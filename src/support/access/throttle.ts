/**
 * Slows down guessing: each source may fail `burst` times, then once every `refillMs`. Sources beyond `maxSources` push the
 * longest unseen one out, so memory is bounded whatever addresses an attacker has.
 */
export interface Throttle {
  /** Milliseconds until the source may try again; 0: now. */
  waitMs(source: string, nowMs: number): number;
  failed(source: string, nowMs: number): void;
}

export function createThrottle(
  options: { burst?: number; refillMs?: number; maxSources?: number } = {},
): Throttle {
  const { burst = 20, refillMs = 1000, maxSources = 10_000 } = options;
  // Insertion order is order of last failure.
  const buckets = new Map<string, { left: number; atMs: number }>();
  const current = (key: string, nowMs: number): number => {
    const bucket = buckets.get(key);
    if (!bucket) return burst;
    return Math.min(burst, bucket.left + Math.max(0, nowMs - bucket.atMs) / refillMs);
  };
  return {
    waitMs(source, nowMs) {
      const left = current(sourceKey(source), nowMs);
      return left >= 1 ? 0 : Math.ceil((1 - left) * refillMs);
    },
    failed(source, nowMs) {
      const key = sourceKey(source);
      const left = Math.max(0, current(key, nowMs) - 1);
      buckets.delete(key);
      buckets.set(key, { left, atMs: nowMs });
      if (buckets.size > maxSources) buckets.delete(buckets.keys().next().value as string);
    },
  };
}

/** One IPv6 customer has a /64: addresses below it are one source. */
function sourceKey(source: string): string {
  const address = source.slice(0, 64).replace(/^::ffff:/i, '');
  return address.includes(':') ? address.split(':').slice(0, 4).join(':') : address;
}
