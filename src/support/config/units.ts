/** Units as people write them. Each parser returns null for text that is not of its form. */

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
export const DURATION_PATTERN = /^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d))+$/;

/** `30s`, `1h30m`, `1.5s`, `250ms` to milliseconds; each unit at most once, largest first. */
export function parseDuration(text: string): number | null {
  if (!DURATION_PATTERN.test(text)) return null;
  let total = 0;
  let last = Number.POSITIVE_INFINITY;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    const factor = DURATION_MS[unit as keyof typeof DURATION_MS];
    if (factor >= last) return null;
    last = factor;
    total += Number(amount) * factor;
  }
  return Math.round(total);
}

/** Milliseconds in the shortest exact form `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / DURATION_MS[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * DURATION_MS[unit];
  }
  return text;
}

const BYTES = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
} as const;
export const BYTES_PATTERN = /^\d{1,12}(?:\.\d{1,3})?(?:k|M|G|T|Ki|Mi|Gi|Ti)$/;

/** `256Mi`, `1.5Gi`, `500M` to bytes, by the Kubernetes suffixes. */
export function parseBytes(text: string): number | null {
  if (!BYTES_PATTERN.test(text)) return null;
  const [, amount, unit] = /^([\d.]+)([A-Za-z]*)$/.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * BYTES[unit as keyof typeof BYTES]);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

export const PERCENT_PATTERN = /^(?:100(?:\.0{1,3})?|\d{1,2}(?:\.\d{1,3})?)%$/;

/** `10%`, `0.5%` to 10 and 0.5. */
export function parsePercent(text: string): number | null {
  return PERCENT_PATTERN.test(text) ? Number(text.slice(0, -1)) : null;
}
