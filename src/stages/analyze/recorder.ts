import type { BackendCounters, RouterStats } from '../../kernel/dataplane.ts';
import type { Lane } from '../../kernel/ids.ts';
import { type BurnWindow, type LaneBurn, LONG_MINUTES, SHORT_MINUTES } from './burn.ts';
import { BUCKETS, pack } from './histogram.ts';
import type { LaneHistory } from './state.ts';
import { addCount, type Count, endWindow, newWindows, seriesOf, type Windows } from './tally.ts';
import { isWhole, MINUTE_MS, TEN_SECONDS_MS } from './windows.ts';

/**
 * The last half hour of each lane, minute by minute, and its last minutes in steps of ten seconds: an analysis that knows how
 * clumped and how uneven the old version's errors and slow requests are decides in a fraction of the time. Instances that are
 * gone count too: how requests go wrong is a trait of the lane. Losing it costs speed, never soundness.
 */

const HISTORY_MINUTES = 30;
/** For the burn rate the sums of an hour are known, and kept a little longer. */
export const KEPT_MINUTES = LONG_MINUTES + SHORT_MINUTES;
/** Of the minutes of an hour so many must have been watched: a series with holes says nothing of the hour. */
const WATCHED_SHARE = 0.9;
/** Ten-second windows stand in until there are three minutes. */
const HISTORY_TENS = 18;
/** A fresh instance's first seconds of traffic (cold caches, code not compiled yet) say nothing of how instances differ. */
const COLD_MS = 5_000;
/** Instances of a lane that are followed; more than a lane has. */
const MAX_FOLLOWED = 512;

/** One instance's minute; `atMs` is its start. One in which it did not serve throughout counts for the sums alone. */
export interface RecordedMinute extends Count {
  whole: boolean;
  lane: Lane;
  instance: string;
  atMs: number;
}

interface Followed {
  last: BackendCounters;
  /** When its first traffic was seen; 0: it was warm when it was first seen, null: it has had none. */
  trafficSinceMs: number | null;
  minute: Part;
  ten: Part;
}

/** An instance's part in the window under way. */
interface Part {
  /** Counters at its start. */
  base: BackendCounters;
  /** Snapshots that showed traffic. */
  looks: number;
}

interface LaneRecord {
  bootId: string;
  followed: Map<string, Followed>;
  minutes: Windows;
  tens: Windows;
  /** Requests and errors of the whole lane by the start of the minute, oldest first; and of the minute under way. */
  sums: Map<number, BurnWindow>;
  open: BurnWindow;
}

export interface HistoryRecorder {
  /** Takes one snapshot of all lanes. */
  observe(stats: RouterStats): void;
  /** What went before a rollout of `digest` over `previousDigest`; null when there is no whole window yet. */
  of(lane: Lane, versions: { digest: string; previousDigest: string | null }): LaneHistory | null;
  /** Long and short window of the whole lane; null before it was watched for the long one. */
  burn(lane: Lane): LaneBurn | null;
  /** Minutes that ended since the last call. */
  takeEnded(): RecordedMinute[];
  restored(): boolean;
  /** Takes in what a worker before this one recorded; what this one saw itself stands. */
  restore(minutes: readonly RecordedMinute[]): void;
}

export function historyRecorder(): HistoryRecorder {
  const lanes = new Map<Lane, LaneRecord>();
  let ended: RecordedMinute[] = [];
  let restored = false;
  const recordOf = (lane: Lane): LaneRecord => {
    const known = lanes.get(lane);
    if (known) return known;
    const minutes = newWindows(MINUTE_MS, HISTORY_MINUTES);
    const tens = newWindows(TEN_SECONDS_MS, HISTORY_TENS);
    const record = { bootId: '', followed: new Map(), minutes, tens, sums: new Map(), open: nothing() };
    lanes.set(lane, record);
    return record;
  };
  return {
    observe(stats) {
      const listed = new Set<Lane>();
      for (const { lane, backends } of stats.lanes) {
        listed.add(lane);
        const minutes = observeLane(recordOf(lane), backends, stats);
        for (const minute of minutes) ended.push({ lane, ...minute });
      }
      for (const [lane, { minutes }] of lanes) {
        const newestMs = minutes.closed.at(-1)?.atMs ?? 0;
        if (!listed.has(lane) && newestMs < stats.atMs - HISTORY_MINUTES * MINUTE_MS) lanes.delete(lane);
      }
    },
    of(lane, versions) {
      const record = lanes.get(lane);
      if (record === undefined || record.tens.closed.length + record.minutes.closed.length === 0) return null;
      return { minutes: seriesOf(record.minutes, versions), tens: seriesOf(record.tens, versions) };
    },
    burn(lane) {
      const record = lanes.get(lane);
      return record === undefined ? null : burnOf(record);
    },
    takeEnded() {
      const taken = ended;
      ended = [];
      return taken;
    },
    restored: () => restored,
    restore(kept) {
      restored = true;
      for (const { lane, instance, atMs, whole, ...count } of kept) {
        const record = recordOf(lane);
        if (whole) addCount(record.minutes, atMs, instance, count);
        addSum(record, atMs, count);
      }
    },
  };
}

function observeLane(
  record: LaneRecord,
  backends: readonly BackendCounters[],
  { atMs, bootId }: RouterStats,
): Omit<RecordedMinute, 'lane'>[] {
  // A router that started anew counts from zero; what it lists at once was there before.
  const first = record.bootId !== bootId;
  const rebooted = first && record.bootId !== '';
  if (first) record.followed.clear();
  record.bootId = bootId;
  for (const backend of backends)
    if (backend.latency.length === BUCKETS) follow(record, backend, { atMs, first, rebooted });
  const tenAtMs = endWindow(record.tens, atMs);
  const minuteAtMs = endWindow(record.minutes, atMs);
  if (minuteAtMs !== null) {
    addSum(record, minuteAtMs, record.open);
    record.open = nothing();
  }
  const listed = new Set(backends.map(({ id }) => id));
  if (tenAtMs !== null) endParts(record, record.tens, tenAtMs, 'ten');
  if (minuteAtMs === null) return [];
  const ended = endParts(record, record.minutes, minuteAtMs, 'minute');
  for (const id of record.followed.keys()) if (!listed.has(id)) record.followed.delete(id);
  return ended;
}

/** Closes a window: each instance's part of it, and which of them were whole. */
function endParts(
  { followed }: LaneRecord,
  windows: Windows,
  atMs: number,
  which: 'minute' | 'ten',
): Omit<RecordedMinute, 'lane'>[] {
  const most = Math.max(0, ...[...followed.values()].map((one) => one[which].looks));
  const ended: Omit<RecordedMinute, 'lane'>[] = [];
  for (const [instance, one] of followed) {
    const { base, looks } = one[which];
    one[which] = { base: one.last, looks: 0 };
    const count = countSince(base, one.last);
    if (count.requests <= 0) continue;
    const whole = isWhole(looks, most);
    if (whole) addCount(windows, atMs, instance, count);
    ended.push({ instance, atMs, whole, ...count });
  }
  return ended;
}

function follow(
  { followed, open }: LaneRecord,
  backend: BackendCounters,
  { atMs, first, rebooted }: { atMs: number; first: boolean; rebooted: boolean },
): void {
  let one = followed.get(backend.id);
  if (one === undefined || one.last.digest !== backend.digest) {
    if (one === undefined && followed.size >= MAX_FOLLOWED) return;
    // One that turns up later was just started: all it counts is new.
    const base = first && !rebooted ? backend : zero(backend);
    one = { last: base, trafficSinceMs: first ? 0 : null, ...partsFrom(base) };
    followed.set(backend.id, one);
  }
  if (wentDown(one.last, backend)) Object.assign(one, { last: zero(backend), ...partsFrom(zero(backend)) });
  const { requests, errors } = countSince(one.last, backend);
  open.requests += requests;
  open.errors += errors;
  one.last = backend;
  if (requests > 0) {
    one.trafficSinceMs ??= atMs;
    one.minute.looks += 1;
    one.ten.looks += 1;
  }
  const cold = one.trafficSinceMs === null || atMs - one.trafficSinceMs < COLD_MS;
  if (cold) Object.assign(one, partsFrom(backend));
}

function partsFrom(base: BackendCounters): Pick<Followed, 'minute' | 'ten'> {
  return { minute: { base, looks: 0 }, ten: { base, looks: 0 } };
}

function nothing(): BurnWindow {
  return { requests: 0, errors: 0 };
}

function addSum({ sums }: LaneRecord, atMs: number, { requests, errors }: BurnWindow): void {
  const sum = sums.get(atMs) ?? nothing();
  sums.set(atMs, { requests: sum.requests + requests, errors: sum.errors + errors });
  for (const oldest of sums.keys()) {
    if (sums.size <= LONG_MINUTES) return;
    sums.delete(oldest);
  }
}

/** The minute under way counts too: an alarm must not wait for its end. */
function burnOf({ sums, minutes, open }: LaneRecord): LaneBurn | null {
  const nowMs = minutes.openAtMs;
  if (nowMs === null) return null;
  const within = (count: number) =>
    [...sums].filter(([atMs]) => atMs >= nowMs - count * MINUTE_MS && atMs < nowMs).map(([, sum]) => sum);
  const long = within(LONG_MINUTES);
  if (long.length < WATCHED_SHARE * LONG_MINUTES) return null;
  const total = (parts: readonly BurnWindow[]) => ({
    requests: parts.reduce((all, { requests }) => all + requests, 0),
    errors: parts.reduce((all, { errors }) => all + errors, 0),
  });
  return { long: total([...long, open]), short: total([...within(SHORT_MINUTES), open]) };
}

function wentDown(before: BackendCounters, now: BackendCounters): boolean {
  return (
    now.requests < before.requests ||
    now.errors < before.errors ||
    now.latency.some((count, i) => count < (before.latency[i] as number))
  );
}

function zero(backend: BackendCounters): BackendCounters {
  return { ...backend, requests: 0, errors: 0, latency: new Array<number>(BUCKETS).fill(0) };
}

function countSince(from: BackendCounters, to: BackendCounters): Count {
  const requests = to.requests - from.requests;
  const latency = to.latency.map((count, i) => count - (from.latency[i] as number));
  const errors = Math.min(requests, to.errors - from.errors);
  return { digest: to.digest, control: to.group !== 'canary', requests, errors, latency: pack(latency) };
}
