import { LATENCY_EDGES_S } from '../../kernel/dataplane.ts';
import type { PackedCounts } from './state.ts';

/** Latency bucket counts. Bucket i holds what is above edge i - 1 and at most edge i; the last, what is above all edges. */

export const BUCKETS = LATENCY_EDGES_S.length + 1;

export function emptyCounts(): number[] {
  return new Array<number>(BUCKETS).fill(0);
}

export function pack(counts: readonly number[]): PackedCounts {
  let first = 0;
  let last = counts.length - 1;
  while (first <= last && counts[first] === 0) first++;
  while (last >= first && counts[last] === 0) last--;
  return first > last ? [0] : [first, ...counts.slice(first, last + 1)];
}

export function unpack(packed: PackedCounts): number[] {
  const counts = emptyCounts();
  const first = packed[0] ?? 0;
  for (let i = 1; i < packed.length && first + i - 1 < BUCKETS; i++)
    counts[first + i - 1] = packed[i] as number;
  return counts;
}

export function total(counts: readonly number[]): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}

/** Requests slower than LATENCY_EDGES_S[edge]. */
export function above(counts: readonly number[], edge: number): number {
  let sum = 0;
  for (let i = edge + 1; i < counts.length; i++) sum += counts[i] as number;
  return sum;
}

/**
 * The edge nearest to the quantile: the one whose share above is nearest to 1 - quantile, in log odds. Never interpolates.
 * Of equals the higher, which leaves room for the canary to be worse. null without counts.
 */
export function nearestEdge(counts: readonly number[], quantile: number): number | null {
  const n = total(counts);
  if (n === 0) return null;
  const target = Math.log((1 - quantile) / quantile);
  let best: number | null = null;
  let distance = Number.POSITIVE_INFINITY;
  let left = n;
  for (let edge = 0; edge < LATENCY_EDGES_S.length; edge++) {
    left -= counts[edge] as number;
    const away = Math.abs(Math.log((left + 0.5) / (n - left + 0.5)) - target);
    if (away <= distance) {
      distance = away;
      best = edge;
    }
    // Edges above all requests are all alike: the first of them is the nearest.
    if (left === 0) break;
  }
  return best;
}

/** The quantile in seconds for drawing, interpolated in the bucket on a log scale; null without counts. */
export function quantileS(counts: readonly number[], quantile: number): number | null {
  const n = total(counts);
  if (n === 0) return null;
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const here = counts[i] as number;
    if (here > 0 && below + here >= quantile * n) {
      const high = LATENCY_EDGES_S[Math.min(i, LATENCY_EDGES_S.length - 1)] as number;
      const low =
        i === 0 ? high / 2 : (LATENCY_EDGES_S[Math.min(i - 1, LATENCY_EDGES_S.length - 1)] as number);
      return low * (high / low) ** ((quantile * n - below) / here);
    }
    below += here;
  }
  return LATENCY_EDGES_S[LATENCY_EDGES_S.length - 1] as number;
}
