/** Seeded draws. A run is a seed: every choice the simulator makes comes from one of these, in an order time decides. */
export interface Draw {
  /** In [0, 1). */
  uniform(): number;
  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<Value>(values: readonly Value[]): Value;
  /** Exponential with this mean, rounded up. */
  exponential(mean: number): number;
  bytes(count: number): Uint8Array;
}

/** sfc32 (Chris Doty-Humphrey's small fast counter), 12 rounds of warming up. */
export function draws(seed: number): Draw {
  let [a, b, c, d] = [seed | 0, (seed ^ 0x9e3779b9) | 0, Math.floor(seed / 2 ** 32) | 0, 1];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  const int = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    uniform: next,
    int,
    chance: (probability) => next() < probability,
    pick: (values) => values[int(0, values.length - 1)]!,
    exponential: (mean) => Math.ceil(-mean * Math.log(1 - next())),
    bytes: (count) => Uint8Array.from({ length: count }, () => int(0, 255)),
  };
}
