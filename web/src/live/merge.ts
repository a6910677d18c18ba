import type { Evidence, LedgerEntry } from '../api/types.ts';

/** New points after those known, each number once: after a reconnect the server sends what we have again. */
export function mergePoints(series: Evidence, points: Evidence['points']): Evidence {
  const last = series.points.at(-1)?.n ?? -1;
  const fresh = points.filter((point) => point.n > last);
  if (fresh.length === 0) return series;
  const newest = fresh.at(-1)?.point;
  return {
    ...series,
    verdict: newest?.verdict ?? series.verdict,
    updatedAtMs: newest?.atMs ?? series.updatedAtMs,
    points: [...series.points, ...fresh],
  };
}

export interface EntryFilter {
  subject?: string | undefined;
  service?: string | undefined;
  environment?: string | undefined;
  kind?: string | undefined;
  order?: 'asc' | 'desc' | undefined;
  from?: number | undefined;
  limit?: number | undefined;
}

export interface EntryPage {
  size: number;
  entries: LedgerEntry[];
}

/** A page of entries with one more that fits its filter, in its order; a page that begins in the past stays as it is. */
export function withEntry(page: EntryPage, filter: EntryFilter, entry: LedgerEntry): EntryPage {
  const size = Math.max(page.size, entry.index + 1);
  const fits =
    (filter.subject === undefined || filter.subject === entry.subject) &&
    (filter.service === undefined || filter.service === entry.service) &&
    (filter.environment === undefined || filter.environment === entry.environment) &&
    (filter.kind === undefined || filter.kind === entry.kind);
  if (!fits || page.entries.some((known) => known.index === entry.index)) return { ...page, size };
  const limit = filter.limit ?? 100;
  if (filter.order === 'desc') {
    if (filter.from !== undefined) return { ...page, size };
    return { size, entries: [entry, ...page.entries].slice(0, limit) };
  }
  if (page.entries.length >= limit) return { ...page, size };
  return { size, entries: [...page.entries, entry] };
}
