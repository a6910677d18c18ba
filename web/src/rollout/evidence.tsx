import { useMemo, useState } from 'react';
import type { Evidence } from '../api/types.ts';
import { thin, weightMarks } from '../charts/series.ts';
import { Panel } from '../parts/panel.tsx';
import { Empty } from '../parts/states.tsx';
import { TableTwin } from '../parts/table-twin.tsx';
import { usePreferences } from '../preferences.ts';
import { clock } from '../time/format.ts';
import { Comparison } from './comparison.tsx';
import { EvidenceChart } from './evidence-chart.tsx';
import { RateCharts } from './rates.tsx';
import { budgetWords, METRICS } from './words.ts';

/** What was measured and what it proves, drawn; and the same as tables. */
export function EvidencePanels({ evidence, ended }: { evidence: Evidence; ended: boolean }) {
  const last = evidence.points.at(-1)?.point;
  if (evidence.spec === null)
    return (
      <Panel title="Evidence">
        <Empty title="This rollout is not analysed">
          Its strategy has no analysis: time and people decide. A strategy with an <code>analysis</code> in
          the platform folder compares the new version with the old one.
        </Empty>
      </Panel>
    );
  if (last === undefined)
    return (
      <Panel title="Evidence">
        <Empty title={ended ? 'No evidence was gathered' : 'No evidence yet'}>
          {ended
            ? 'The rollout ended before both versions had traffic to compare.'
            : 'The first look comes with the first traffic to both versions. Without data nothing passes.'}
        </Empty>
      </Panel>
    );
  return (
    <>
      <Panel
        title="Canary against baseline"
        flush
        aside={
          <span>{[budgetWords(evidence), `alpha ${evidence.spec.alpha}`].filter(Boolean).join(' · ')}</span>
        }
      >
        <Comparison evidence={evidence} metrics={last.metrics} />
      </Panel>
      <Panel title="Evidence over time" aside={<span>log e-value, valid at every moment</span>}>
        <EvidenceCharts evidence={evidence} />
      </Panel>
      <Panel title="Measured">
        <RateCharts points={evidence.points} />
      </Panel>
    </>
  );
}

function EvidenceCharts({ evidence }: { evidence: Evidence }) {
  const [cursor, setCursor] = useState<number | null>(null);
  const { zone } = usePreferences();
  const points = useMemo(() => thin(evidence.points.map(({ point }) => point)), [evidence.points]);
  const marks = useMemo(() => weightMarks(points), [points]);
  const names = points.at(-1)?.metrics.map((metric) => metric.metric) ?? [];
  const of = (name: string) =>
    points.flatMap((point) => {
      const metric = point.metrics.find((one) => one.metric === name);
      return metric === undefined ? [] : [{ atMs: point.atMs, metric }];
    });
  return (
    <>
      <div className="grid gap-x-6 gap-y-4 md:grid-cols-2 xl:grid-cols-3">
        {names.map((name) => (
          <EvidenceChart key={name} points={of(name)} marks={marks} cursor={cursor} onCursor={setCursor} />
        ))}
      </div>
      <TableTwin
        caption="Evidence by metric, look by look"
        head={['Time', 'Metric', 'To roll back', 'needs', 'To advance', 'needs', 'Verdict']}
        rows={() =>
          [...points]
            .reverse()
            .flatMap((point) =>
              point.metrics.map((metric) => [
                clock(point.atMs, zone),
                METRICS[metric.metric] ?? metric.metric,
                metric.fail.logE.toFixed(2),
                metric.fail.threshold.toFixed(2),
                metric.pass.logE.toFixed(2),
                metric.pass.threshold.toFixed(2),
                metric.verdict,
              ]),
            )
        }
      />
    </>
  );
}
