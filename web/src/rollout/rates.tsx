import { useMemo, useState } from 'react';
import type { Evidence } from '../api/types.ts';
import { LineChart } from '../charts/line-chart.tsx';
import { type Series, thin, weightMarks } from '../charts/series.ts';
import { count, latency, percent } from '../format/numbers.ts';
import { TableTwin } from '../parts/table-twin.tsx';
import { usePreferences } from '../preferences.ts';
import { clock } from '../time/format.ts';

type Point = Evidence['points'][number]['point'];
type Rates = Point['rates']['canary'];

const CHARTS = [
  {
    title: 'Request rate',
    least: 1,
    format: (v: number | null) => (v === null ? '–' : `${count(v)} /s`),
    of: (r: Rates) => r.rps,
  },
  { title: 'Error rate', least: 0.01, format: percent, of: (r: Rates) => r.errorRate },
  { title: 'Latency p50', least: 0.002, format: latency, of: (r: Rates) => r.p50S },
  { title: 'Latency p95', least: 0.005, format: latency, of: (r: Rates) => r.p95S },
  { title: 'Latency p99', least: 0.005, format: latency, of: (r: Rates) => r.p99S },
] as const;

/** Canary against its baseline as measured, look by look. Pictures for people; the evidence below is what decides. */
export function RateCharts({ points: all }: { points: Evidence['points'] }) {
  const [cursor, setCursor] = useState<number | null>(null);
  const { zone } = usePreferences();
  const points = useMemo(() => thin(all.map(({ point }) => point)), [all]);
  const times = useMemo(() => points.map((point) => point.atMs), [points]);
  const marks = useMemo(() => weightMarks(points), [points]);
  const seriesOf = (of: (rates: Rates) => number | null): Series[] => [
    { name: 'canary', look: 'canary', values: points.map((point) => of(point.rates.canary)) },
    { name: 'baseline', look: 'baseline', values: points.map((point) => of(point.rates.baseline)) },
  ];
  return (
    <>
      <p className="mb-2 h-4 text-xs text-muted" aria-live="off">
        {cursor === null ? 'Latest look' : `At ${clock(times[cursor] ?? 0, zone)}`}
      </p>
      <div className="grid gap-x-6 gap-y-4 md:grid-cols-2 xl:grid-cols-3">
        <LineChart
          title="Traffic on the canary"
          times={times}
          series={[{ name: 'weight', look: 'canary', values: points.map((point) => point.canaryWeight) }]}
          least={10}
          format={(value) => (value === null ? '–' : `${value} %`)}
          marks={[]}
          cursor={cursor}
          onCursor={setCursor}
          step
        />
        {CHARTS.map(({ title, least, format, of }) => (
          <LineChart
            key={title}
            title={title}
            times={times}
            series={seriesOf(of)}
            least={least}
            format={format}
            marks={marks}
            cursor={cursor}
            onCursor={setCursor}
          />
        ))}
      </div>
      <TableTwin
        caption="Rates of canary and baseline, look by look"
        head={[
          'Time',
          'Weight',
          ...CHARTS.flatMap(({ title }) => [`${title}, canary`, `${title}, baseline`]),
        ]}
        rows={() =>
          [...points]
            .reverse()
            .map((point) => [
              clock(point.atMs, zone),
              `${point.canaryWeight} %`,
              ...CHARTS.flatMap(({ of, format }) => [
                format(of(point.rates.canary)),
                format(of(point.rates.baseline)),
              ]),
            ])
        }
      />
    </>
  );
}
