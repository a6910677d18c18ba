import { LinePath } from '@visx/shape';
import { Frame } from './frame.tsx';
import { type Mark, type Series, ticks, top } from './series.ts';

const LOOK = {
  canary: { className: 'stroke-accent', dot: 'fill-accent', width: 2, dash: undefined },
  baseline: { className: 'stroke-muted', dot: 'fill-muted', width: 1.5, dash: '5 3' },
} as const;

/** Canary (solid) against baseline (dashed) over time. What the figure above says is the value at the cursor, else the last. */
export function LineChart({
  title,
  times,
  series,
  least,
  format,
  marks,
  cursor,
  onCursor,
  step,
}: {
  title: string;
  times: readonly number[];
  series: readonly Series[];
  /** The axis reaches at least this far: flat noise near zero stays flat. */
  least: number;
  format(value: number | null): string;
  marks: readonly Mark[];
  cursor: number | null;
  onCursor(index: number | null): void;
  step?: boolean;
}) {
  const max = top(series, least);
  const at = cursor ?? times.length - 1;
  const now = series.map(({ name, values }) => `${name} ${format(values[at] ?? null)}`).join(', ');
  return (
    <figure className="min-w-0">
      <figcaption className="flex flex-wrap items-baseline justify-between gap-x-3 pl-1">
        <span className="text-sm font-medium">{title}</span>
        <span className="flex gap-3 text-xs">
          {series.map(({ name, values, look }) => (
            <span key={name} className="inline-flex items-center gap-1.5 whitespace-nowrap">
              <Key look={look} />
              <span className="text-muted">{name}</span>
              <span className="font-medium">{format(values[at] ?? null)}</span>
            </span>
          ))}
        </span>
      </figcaption>
      <Frame
        label={`${title} over time. ${cursor === null ? 'Latest' : 'At the cursor'}: ${now}.`}
        times={times}
        domain={[0, max]}
        yTicks={ticks(max)}
        format={format}
        marks={marks}
        cursor={cursor}
        onCursor={onCursor}
      >
        {(plot) =>
          [...series].reverse().map(({ name, values, look }) => (
            <g key={name}>
              <LinePath
                data={
                  step ? stairs(times, values) : times.map((time, i) => [time, values[i] ?? null] as const)
                }
                x={([time]) => plot.x(time)}
                y={([, value]) => plot.y(value ?? 0)}
                defined={([, value]) => value !== null}
                className={LOOK[look].className}
                strokeWidth={LOOK[look].width}
                strokeDasharray={LOOK[look].dash}
                strokeLinejoin="round"
                fill="none"
              />
              {lonely(values).map((i) => (
                <circle
                  key={i}
                  cx={plot.x(times[i] as number)}
                  cy={plot.y(values[i] as number)}
                  r="1.5"
                  className={LOOK[look].dot}
                />
              ))}
            </g>
          ))
        }
      </Frame>
    </figure>
  );
}

export function Key({ look }: { look: 'canary' | 'baseline' }) {
  return (
    <svg width="16" height="8" aria-hidden="true">
      <line
        x1="0"
        x2="16"
        y1="4"
        y2="4"
        className={LOOK[look].className}
        strokeWidth={LOOK[look].width}
        strokeDasharray={LOOK[look].dash}
      />
    </svg>
  );
}

/** A value between two gaps has no line; it is drawn as a dot. */
function lonely(values: readonly (number | null)[]): number[] {
  return values.flatMap((value, i) =>
    value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : [],
  );
}

function stairs(
  times: readonly number[],
  values: readonly (number | null)[],
): (readonly [number, number | null])[] {
  return times.flatMap((time, i) => {
    const before = values[i - 1];
    const here = [time, values[i] ?? null] as const;
    return before === undefined || before === values[i] ? [here] : [[time, before] as const, here];
  });
}
