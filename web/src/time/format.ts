/** Times as people read them. Pure: what "now" is and where the reader lives are arguments. */

export type Zone = 'utc' | 'local';

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** `4 s`, `12 min`, `3 h`, `5 d`: one unit, rounded down, because an age is a lower bound. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 2 * MINUTE) return `${s} s`;
  if (s < 2 * HOUR) return `${Math.floor(s / MINUTE)} min`;
  if (s < 2 * DAY) return `${Math.floor(s / HOUR)} h`;
  return `${Math.floor(s / DAY)} d`;
}

/** `340 ms`, `4.2 s`, `1 min 05 s`, `2 h 10 min`: how long something took. */
export function elapsed(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < MINUTE) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${two(whole % MINUTE)} s`;
  return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))} min`;
}

/** `now`, `4 min ago`, `in 3 h`. */
export function relative(atMs: number, nowMs: number): string {
  const seconds = (nowMs - atMs) / 1_000;
  if (Math.abs(seconds) < 1) return 'now';
  return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

/** `2026-11-24 14:02:37 UTC`, or with the reader's offset: `2026-11-24 15:02:37 +01:00`. */
export function absolute(atMs: number, zone: Zone): string {
  return `${date(atMs, zone)} ${clock(atMs, zone)} ${zone === 'utc' ? 'UTC' : offset(atMs)}`;
}

export function date(atMs: number, zone: Zone): string {
  return shifted(atMs, zone).toISOString().slice(0, 10);
}

export function clock(atMs: number, zone: Zone): string {
  return shifted(atMs, zone).toISOString().slice(11, 19);
}

function shifted(atMs: number, zone: Zone): Date {
  const at = new Date(atMs);
  return zone === 'utc' ? at : new Date(atMs - at.getTimezoneOffset() * 60_000);
}

function offset(atMs: number): string {
  const minutes = -new Date(atMs).getTimezoneOffset();
  const two = (n: number) => String(Math.floor(Math.abs(n))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}
