/** Times and amounts as people read them. Pure: "now" is an argument. */

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** `340 ms`, `4.2 s`, `1m 05s`, `2h 10m`, `3d 4h`: at most two units. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1_000);
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  const [unit, size] = UNITS[first] as readonly [string, number];
  const [nextUnit, nextSize] = UNITS[first + 1] ?? ['', 1];
  const rest = nextUnit === '' ? 0 : Math.floor((seconds % size) / nextSize);
  return `${Math.floor(seconds / size)}${unit}${rest > 0 ? ` ${nextUnit === 's' ? String(rest).padStart(2, '0') : rest}${nextUnit}` : ''}`;
}

/** `just now`, `40s ago`, `3m ago`, `2d ago`: one unit, rounded down, since an age is a lower bound. */
export function ago(at: string | null, nowMs: number): string {
  if (at === null) return '-';
  const seconds = Math.floor((nowMs - Date.parse(at)) / 1_000);
  if (Number.isNaN(seconds)) return at;
  if (Math.abs(seconds) < 2) return 'just now';
  const [unit, size] = UNITS.find(([, of]) => Math.abs(seconds) >= of) ?? ['s', 1];
  const text = `${Math.floor(Math.abs(seconds) / size)}${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** `14:02:37`, in the reader's zone (TZ). */
export function clockTime(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** `12.3 KiB`. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1_024 || unit === 'GiB') return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
    value /= 1_024;
  }
  return `${count} B`;
}

/** `0.3 %`; what is not known is `-`, never 0. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '-' : `${Number((share * 100).toPrecision(2))} %`;
}

const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/;

/** Reads `90s`, `10m`, `1h30m`, `7d` or plain seconds; gives seconds, or null for anything else. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text.trim());
  if (match === null || match.slice(1).every((part) => part === undefined)) return null;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  const total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds;
  return Number.isSafeInteger(total) ? total : null;
}
