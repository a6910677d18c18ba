import { randomInt } from 'node:crypto';

/** Uniform choices that come again with the same seed. */
export interface Random {
  seed: number;
  /** In [0, 1). */
  next(): number;
  /** In [from, to). */
  between(from: number, to: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/**
 * SLIPWAY_SEED, or a fresh one. The seed fixes what is done in which order and after which waits; how far the machine has
 * come by then is the machine's own.
 */
export function chooseSeed(): number {
  const given = Number(process.env.SLIPWAY_SEED);
  return Number.isInteger(given) && given > 0 ? given : randomInt(1, 2 ** 31);
}

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    next,
    between: (from, to) => from + next() * (to - from),
    pick: (items) => items[Math.floor(next() * items.length)]!,
  };
}
