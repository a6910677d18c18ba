/** What a chart draws, made from evidence points. Pure. */

export interface Series {
  name: string;
  /** Beside the times of the chart; null is a gap. */
  values: readonly (number | null)[];
  look: 'canary' | 'baseline';
}

/** A place on the time axis worth a line: the weight changed. */
export interface Mark {
  atMs: number;
  label: string;
}

export const MAX_DRAWN = 400;

/** Evenly thinned to what a chart can show; the first and the last stay. */
export function thin<Item>(items: readonly Item[], most = MAX_DRAWN): readonly Item[] {
  if (items.length <= most) return items;
  const step = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => items[Math.round(i * step)] as Item);
}

/** Where the weight changed. */
export function weightMarks(points: readonly { atMs: number; canaryWeight: number }[]): Mark[] {
  return points.flatMap((point, i) => {
    const before = points[i - 1];
    if (before !== undefined && before.canaryWeight === point.canaryWeight) return [];
    return [{ atMs: point.atMs, label: `${point.canaryWeight} %` }];
  });
}

/** The greatest of all values, at least `least`, with some room above. */
export function top(series: readonly Series[], least: number): number {
  let most = least;
  for (const { values } of series)
    for (const value of values) if (value !== null && value > most) most = value;
  return most * 1.1;
}

/** At most `count` round values from 0 to `max`. */
export function ticks(max: number, count = 3): number[] {
  if (!(max > 0)) return [0];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step =
    [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const all: number[] = [];
  for (let value = 0; value <= max * 1.0001; value += step) all.push(Number(value.toPrecision(10)));
  return all;
}

/** The index of the time nearest to `atMs`; times rise. */
export function nearest(times: readonly number[], atMs: number): number {
  let low = 0;
  let high = Math.max(0, times.length - 1);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < atMs) low = middle;
    else high = middle;
  }
  return atMs - (times[low] ?? 0) <= (times[high] ?? 0) - atMs ? low : high;
}
