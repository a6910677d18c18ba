import { unpack } from './histogram.ts';
import type { HistorySeries, PackedCounts } from './state.ts';

/** What the instances of a lane counted in windows of equal length, aligned to the clock. */

/** One instance in one window. */
export interface Count {
  digest: string;
  /** It served as the old version, or beside it. */
  control: boolean;
  requests: number;
  errors: number;
  latency: PackedCounts;
}

interface Window {
  /** Its start. */
  atMs: number;
  counts: Map<string, Count>;
}

export interface Windows {
  widthMs: number;
  /** Windows kept. */
  max: number;
  /** Oldest first. */
  closed: Window[];
  /** Start of the window under way. */
  openAtMs: number | null;
}

/** Instances recorded in one window, and told of over all of them: enough to see how they differ. */
const MAX_INSTANCES = 32;

export function newWindows(widthMs: number, max: number): Windows {
  return { widthMs, max, closed: [], openAtMs: null };
}

/** Moves on to `atMs`; the start of the window that this ended, or null. A gap makes one long window. */
export function endWindow(windows: Windows, atMs: number): number | null {
  const start = Math.floor(atMs / windows.widthMs) * windows.widthMs;
  const before = windows.openAtMs;
  if (before !== null && start <= before) return null;
  windows.openAtMs = start;
  if (before !== null) windowAt(windows, before);
  return before;
}

/** What is known of a window and an instance already stands. */
export function addCount(windows: Windows, atMs: number, id: string, count: Count): void {
  const counts = windowAt(windows, atMs)?.counts;
  if (counts === undefined || counts.has(id) || counts.size >= MAX_INSTANCES) return;
  counts.set(id, count);
}

/** undefined for one that is older than all that are kept. */
function windowAt({ closed, max }: Windows, atMs: number): Window | undefined {
  const after = closed.findIndex((window) => window.atMs >= atMs);
  const place = after < 0 ? closed.length : after;
  if (closed[place]?.atMs === atMs) return closed[place];
  if (place === 0 && closed.length >= max) return undefined;
  const window: Window = { atMs, counts: new Map() };
  closed.splice(place, 0, window);
  if (closed.length > max) closed.shift();
  return window;
}

/**
 * The instances that tell something of the old version of a rollout, over the windows kept: its own first, then those with
 * the most requests.
 */
export function seriesOf(
  { closed }: Windows,
  versions: { digest: string; previousDigest: string | null },
): HistorySeries {
  // The new version is what is judged; one that was only ever a canary may have been rolled back for what it did.
  const tells = ({ digest, control }: Count) =>
    digest !== versions.digest && (control || digest === versions.previousDigest);
  const ids = new Map<string, { other: boolean }>();
  for (const { counts } of closed) {
    for (const [id, count] of counts)
      if (tells(count)) ids.set(id, { other: count.digest !== versions.previousDigest });
  }
  const instances = [...ids].map(([id, { other }]) => {
    const own = closed.map(({ counts }) => {
      const count = counts.get(id);
      return count !== undefined && tells(count) ? count : null;
    });
    return {
      id,
      other,
      requests: own.map((count) => count?.requests ?? 0),
      errors: own.map((count) => count?.errors ?? 0),
      latency: own.map((count) => unpack(count?.latency ?? [0])),
    };
  });
  const requestsOf = (one: (typeof instances)[number]) => one.requests.reduce((all, n) => all + n, 0);
  instances.sort((a, b) => Number(a.other) - Number(b.other) || requestsOf(b) - requestsOf(a));
  return { windows: closed.length, instances: instances.slice(0, MAX_INSTANCES) };
}
