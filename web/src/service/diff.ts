import type { Release } from '../api/types.ts';

/** The releases between what runs and what would run, newest first. Pure. */
export function changesBetween(
  releases: readonly Release[],
  from: number | null,
  to: number,
): { brings: readonly Release[]; takesAway: readonly Release[] } {
  const between = (low: number, high: number) =>
    releases.filter((one) => one.number > low && one.number <= high).sort((a, b) => b.number - a.number);
  if (from === null) return { brings: between(to - 1, to), takesAway: [] };
  return from <= to
    ? { brings: between(from, to), takesAway: [] }
    : { brings: [], takesAway: between(to, from) };
}
