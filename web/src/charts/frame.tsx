import { scaleLinear } from '@visx/scale';
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef } from 'react';
import { useWidth } from '../parts/use-width.ts';
import { usePreferences } from '../preferences.ts';
import { clock } from '../time/format.ts';
import { type Mark, nearest } from './series.ts';

export interface Plot {
  x(atMs: number): number;
  y(value: number): number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const MARGIN = { top: 18, right: 12, bottom: 20, left: 48 };

/**
 * Axes, marks and the cursor of a chart over time; `children` draws inside. Pointer and arrow keys move the cursor, which
 * the charts of a page share, so that one moment is read across all of them.
 */
export function Frame({
  label,
  times,
  domain,
  yTicks,
  format,
  marks,
  height = 148,
  cursor,
  onCursor,
  children,
}: {
  /** What a screen reader says of the picture. */
  label: string;
  times: readonly number[];
  domain: readonly [number, number];
  yTicks: readonly number[];
  format(value: number): string;
  marks: readonly Mark[];
  height?: number;
  cursor: number | null;
  onCursor(index: number | null): void;
  children(plot: Plot): ReactNode;
}) {
  const box = useRef<HTMLDivElement>(null);
  const width = Math.max(160, useWidth(box, 360));
  const { zone } = usePreferences();
  const first = times[0] ?? 0;
  const last = Math.max(times.at(-1) ?? first, first + 1_000);
  const plot: Plot = {
    x: scaleLinear<number>({ domain: [first, last], range: [MARGIN.left, width - MARGIN.right] }),
    y: scaleLinear<number>({ domain: [...domain], range: [height - MARGIN.bottom, MARGIN.top] }),
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const { left } = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - left - plot.left) / (plot.right - plot.left);
    onCursor(nearest(times, first + share * (last - first)));
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === 'Escape') return onCursor(null);
    if (step === undefined) return;
    event.preventDefault();
    onCursor(Math.max(0, Math.min(times.length - 1, (cursor ?? times.length - 1) + step)));
  };
  const at = cursor === null ? null : (times[cursor] ?? null);
  return (
    <div ref={box} className="min-w-0">
      <svg
        width={width}
        height={height}
        role="img"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys move the cursor
        tabIndex={0}
        onPointerMove={point}
        onPointerLeave={() => onCursor(null)}
        onKeyDown={press}
        className="block max-w-full rounded text-muted"
      >
        {yTicks.map((value) => (
          <g key={value}>
            <line
              x1={plot.left}
              x2={plot.right}
              y1={plot.y(value)}
              y2={plot.y(value)}
              className="stroke-line"
            />
            <text
              x={plot.left - 6}
              y={plot.y(value)}
              dy="0.32em"
              textAnchor="end"
              className="fill-muted text-[10px]"
            >
              {format(value)}
            </text>
          </g>
        ))}
        <Marks marks={marks} plot={plot} />
        {children(plot)}
        {at !== null && (
          <line
            x1={plot.x(at)}
            x2={plot.x(at)}
            y1={plot.top}
            y2={plot.bottom}
            className="stroke-text"
            strokeWidth="1"
          />
        )}
        <text x={plot.left} y={height - 6} className="fill-muted text-[10px]">
          {clock(first, zone)}
        </text>
        <text x={plot.right} y={height - 6} textAnchor="end" className="fill-muted text-[10px]">
          {clock(last, zone)}
        </text>
      </svg>
    </div>
  );
}

/** Labels that would overlap are left out; the lines stay. */
function Marks({ marks, plot }: { marks: readonly Mark[]; plot: Plot }) {
  let free = Number.NEGATIVE_INFINITY;
  return marks.map((mark) => {
    const x = plot.x(mark.atMs);
    const labelled = x > free;
    if (labelled) free = x + mark.label.length * 6 + 8;
    return (
      <g key={mark.atMs}>
        <line x1={x} x2={x} y1={plot.top} y2={plot.bottom} className="stroke-strong" strokeDasharray="1 3" />
        {labelled && (
          <text
            x={Math.min(x + 3, plot.right - mark.label.length * 5)}
            y={plot.top - 6}
            className="fill-muted text-[10px]"
          >
            {mark.label}
          </text>
        )}
      </g>
    );
  });
}
