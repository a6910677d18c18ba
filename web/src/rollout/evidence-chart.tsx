import { Area, LinePath } from '@visx/shape';
import type { MetricEvidence } from '../api/types.ts';
import { Frame } from '../charts/frame.tsx';
import type { Mark } from '../charts/series.ts';
import { logE } from '../format/numbers.ts';
import { Badge } from '../parts/tone.tsx';
import { METRICS, VERDICTS } from './words.ts';

export interface MetricPoint {
  atMs: number;
  metric: MetricEvidence;
}

/**
 * Log e-values of one metric against their thresholds. Up: evidence that the canary is worse; crossing the upper line rolls
 * back. Down: evidence that it is no worse; crossing the lower line lets the ramp advance. Between them: wait. Values below
 * zero (evidence for neither) are drawn at zero; the table has them as they are.
 */
export function EvidenceChart({
  points,
  marks,
  cursor,
  onCursor,
}: {
  points: readonly MetricPoint[];
  marks: readonly Mark[];
  cursor: number | null;
  onCursor(index: number | null): void;
}) {
  const last = points.at(-1);
  if (last === undefined) return null;
  const shown = points[cursor ?? points.length - 1] ?? last;
  const up = extent(points.map(({ metric }) => metric.fail));
  const down = extent(points.map(({ metric }) => metric.pass));
  const name = METRICS[last.metric.metric] ?? last.metric.metric;
  const verdict = VERDICTS[shown.metric.verdict];
  const { fail, pass } = shown.metric;
  return (
    <figure className="min-w-0">
      <figcaption className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1 pl-1">
        <span className="flex items-center gap-2 text-sm font-medium">
          {name}
          {verdict && <Badge tone={verdict.tone}>{verdict.word}</Badge>}
        </span>
        <span className="basis-full text-xs text-muted">
          to roll back <span className="font-medium text-text">{logE(fail.logE)}</span> of{' '}
          {fail.threshold.toFixed(1)} · to advance{' '}
          <span className="font-medium text-text">{logE(pass.logE)}</span> of {pass.threshold.toFixed(1)}
        </span>
      </figcaption>
      <Frame
        label={`${name}: log e-value over time. Evidence to roll back ${logE(fail.logE)} of ${fail.threshold.toFixed(1)}, to advance ${logE(pass.logE)} of ${pass.threshold.toFixed(1)}.`}
        times={points.map((point) => point.atMs)}
        domain={[-down, up]}
        yTicks={[-Math.round(down / 2), 0, Math.round(up / 2)].filter(
          (value, i, all) => all.indexOf(value) === i,
        )}
        format={(value) => String(Math.abs(value))}
        marks={marks}
        height={176}
        cursor={cursor}
        onCursor={onCursor}
      >
        {(plot) => {
          const x = (point: MetricPoint) => plot.x(point.atMs);
          const failLine = (point: MetricPoint) => plot.y(Math.min(up, point.metric.fail.threshold));
          const passLine = (point: MetricPoint) => plot.y(-Math.min(down, point.metric.pass.threshold));
          const crossing = firstCrossing(points);
          return (
            <>
              <Area
                data={points as MetricPoint[]}
                x={x}
                y0={() => plot.top}
                y1={failLine}
                className="fill-bad-soft"
              />
              <Area
                data={points as MetricPoint[]}
                x={x}
                y0={passLine}
                y1={() => plot.bottom}
                className="fill-ok-soft"
              />
              <LinePath
                data={points as MetricPoint[]}
                x={x}
                y={failLine}
                className="stroke-bad"
                strokeDasharray="4 3"
                fill="none"
              />
              <LinePath
                data={points as MetricPoint[]}
                x={x}
                y={passLine}
                className="stroke-ok"
                strokeDasharray="4 3"
                fill="none"
              />
              <text
                x={plot.right - 4}
                y={plot.top + 11}
                textAnchor="end"
                className="fill-bad text-[10px] font-medium"
              >
                roll back
              </text>
              <text
                x={plot.right - 4}
                y={plot.y(0) - 4}
                textAnchor="end"
                className="fill-muted text-[10px] font-medium"
              >
                wait
              </text>
              <text
                x={plot.right - 4}
                y={plot.bottom - 4}
                textAnchor="end"
                className="fill-ok text-[10px] font-medium"
              >
                advance
              </text>
              <LinePath
                data={points as MetricPoint[]}
                x={x}
                y={({ metric }) => plot.y(Math.min(up, Math.max(0, metric.fail.logE)))}
                className="stroke-bad"
                strokeWidth="2.25"
                strokeLinejoin="round"
                fill="none"
              />
              <LinePath
                data={points as MetricPoint[]}
                x={x}
                y={({ metric }) => plot.y(-Math.min(down, Math.max(0, metric.pass.logE)))}
                className="stroke-ok"
                strokeWidth="1.5"
                strokeLinejoin="round"
                fill="none"
              />
              {crossing !== null && (
                <circle
                  cx={plot.x(crossing.atMs)}
                  cy={plot.y(crossing.kind === 'fail' ? crossing.at : -crossing.at)}
                  r="4"
                  className={`fill-panel ${crossing.kind === 'fail' ? 'stroke-bad' : 'stroke-ok'}`}
                  strokeWidth="2"
                >
                  <title>first crossing</title>
                </circle>
              )}
            </>
          );
        }}
      </Frame>
    </figure>
  );
}

/** How far the axis reaches: past the threshold, and past the value up to twice the threshold. */
function extent(sides: readonly { logE: number; threshold: number }[]): number {
  let threshold = 1;
  let value = 0;
  for (const side of sides) {
    threshold = Math.max(threshold, Math.min(side.threshold, 1_000));
    value = Math.max(value, side.logE);
  }
  return Math.min(Math.max(threshold * 1.35, value * 1.1), threshold * 2.2);
}

/** Where evidence first reached a threshold; `at` is the threshold crossed. Pure. */
export function firstCrossing(
  points: readonly MetricPoint[],
): { atMs: number; kind: 'fail' | 'pass'; at: number } | null {
  for (const { atMs, metric } of points) {
    if (metric.fail.logE >= metric.fail.threshold) return { atMs, kind: 'fail', at: metric.fail.threshold };
    if (metric.pass.logE >= metric.pass.threshold) return { atMs, kind: 'pass', at: metric.pass.threshold };
  }
  return null;
}
