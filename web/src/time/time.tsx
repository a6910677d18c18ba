import { useCallback } from 'react';
import { usePreferences } from '../preferences.ts';
import { absolute, duration, relative } from './format.ts';
import { useNow } from './now.ts';

/**
 * A time: relative, with the absolute one (zone and all) on hover and focus. `quiet` inside links and dense tables: no tab
 * stop of its own, the absolute time as a title.
 */
export function Time({
  at,
  quiet,
  age,
  className,
}: {
  at: string | number;
  quiet?: boolean;
  /** Only how long ago: `2 h`. */
  age?: boolean;
  className?: string;
}) {
  const { zone } = usePreferences();
  const atMs = typeof at === 'number' ? at : Date.parse(at);
  const text = useNow(
    useCallback((now: number) => (age ? duration((now - atMs) / 1_000) : relative(atMs, now)), [atMs, age]),
  );
  if (!Number.isFinite(atMs)) return <span className={className}>unknown</span>;
  const full = absolute(atMs, zone);
  const iso = new Date(atMs).toISOString();
  if (quiet)
    return (
      <time dateTime={iso} title={full} className={className}>
        {text}
      </time>
    );
  return (
    <time
      dateTime={iso}
      data-absolute={full}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: focus is how a keyboard asks for the absolute time
      tabIndex={0}
      className={`time ${className ?? ''}`}
    >
      {text}
      <span className="sr-only">, {full}</span>
    </time>
  );
}
