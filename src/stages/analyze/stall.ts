import type { Increment } from './eprocess.ts';
import { addingTo, outlives } from './guard.ts';
import type { StallState } from './state.ts';

/**
 * A fail for latency must also hold with any six seconds left out. When the machine gives one instance no time for a second,
 * or its collector runs, all requests under way are slow at once: that is one event, however many they are, and half a minute of
 * history seldom holds enough of them to know. A version that is slow goes on being slow, so this costs seconds.
 */

const LEFT_OUT_MS = 6_000;
const PART_MS = 2_000;
/** Older parts are summed into one. */
const MAX_PARTS = 300;

export function newStall(): StallState {
  return { parts: [] };
}

/** The bet of a look at `atMs`, which is remembered by its time. */
export function addStallLook(stall: StallState, width: number, atMs: number, bet: Increment): Increment {
  const last = stall.parts.at(-1);
  if (last !== undefined && atMs - last.atMs < PART_MS) return addingTo(last.factors, bet);
  const part = { atMs, factors: new Array<number>(width).fill(0) };
  stall.parts.push(part);
  if (stall.parts.length > MAX_PARTS) {
    const oldest = stall.parts.shift();
    const next = stall.parts[0];
    if (oldest && next) next.factors = next.factors.map((value, j) => value + (oldest.factors[j] as number));
  }
  return addingTo(part.factors, bet);
}

/** True when a crossing may be acted on. */
export function outlivesStall({ parts }: StallState): boolean {
  const factors = parts.map((part) => part.factors);
  return outlives(factors, parts.length, (first) => {
    const endMs = (parts[first]?.atMs ?? 0) + LEFT_OUT_MS;
    const after = parts.findIndex(({ atMs }, i) => i > first && atMs >= endMs);
    return after < 0 ? parts.length : after;
  });
}
