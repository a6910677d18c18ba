/** Figures as people read them; `–` where there is none, which is neither zero nor healthy. */
export const NONE = '–';

/** `0.4`, `12`, `1,240`. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value !== 0 && Math.abs(value) < 10 && !Number.isInteger(value)) return value.toFixed(1);
  return Math.round(value).toLocaleString('en-US');
}

/** A share as percent: `0 %`, `0.03 %`, `2.1 %`, `38 %`. */
export function percent(rate: number | null | undefined): string {
  if (rate === null || rate === undefined || !Number.isFinite(rate)) return NONE;
  const value = rate * 100;
  if (value === 0) return '0 %';
  if (value < 0.1) return `${Number(value.toPrecision(1))} %`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Seconds as latency: `0.6 ms`, `42 ms`, `1.3 s`. */
export function latency(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const ms = seconds * 1_000;
  if (ms === 0) return '0 ms';
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** `15.9 KiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let rest = value;
  while (rest >= 1024 && at < units.length - 1) {
    rest /= 1024;
    at += 1;
  }
  return `${at === 0 ? rest : rest.toFixed(1)} ${units[at]}`;
}

/** A log e-value: one digit, and no sign on what rounds to zero. */
export function logE(value: number): string {
  const text = value.toFixed(1);
  return text === '-0.0' ? '0.0' : text;
}
