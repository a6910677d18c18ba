import { scaleLinear } from '@visx/scale';
import type { Evidence, MetricEvidence } from '../api/types.ts';
import { count, latency, percent } from '../format/numbers.ts';
import { ScrollRegion } from '../parts/scroll-region.tsx';
import { Badge } from '../parts/tone.tsx';
import { METRICS, neededWords, VERDICTS } from './words.ts';

/** One aligned row per metric: canary and baseline rates with their n, and how much worse would be harm. */
export function Comparison({
  evidence,
  metrics,
}: {
  evidence: Evidence;
  metrics: readonly MetricEvidence[];
}) {
  return (
    <ScrollRegion label="Canary and baseline by metric">
      <table className="w-full min-w-[42rem] text-sm">
        <caption className="sr-only">Canary and baseline by metric, since the rollout began</caption>
        <thead>
          <tr className="border-b text-left text-xs text-muted">
            <th scope="col" className="px-4 py-1.5 font-medium">
              Metric
            </th>
            <th scope="col" className="px-3 py-1.5 text-right font-medium">
              Canary
            </th>
            <th scope="col" className="px-3 py-1.5 text-right font-medium">
              Baseline
            </th>
            <th scope="col" className="w-56 px-3 py-1.5 font-medium max-lg:hidden">
              From zero, <span className="whitespace-nowrap">▏harm margin</span>
            </th>
            <th scope="col" className="px-3 py-1.5 font-medium">
              Verdict
            </th>
            <th scope="col" className="px-4 py-1.5 font-medium">
              Still needed
            </th>
          </tr>
        </thead>
        <tbody>
          {metrics.map((metric) => {
            const verdict = VERDICTS[metric.verdict];
            return (
              <tr key={metric.metric} className="border-b last:border-0">
                <th scope="row" className="px-4 py-2 text-left font-medium whitespace-nowrap">
                  {METRICS[metric.metric] ?? metric.metric}
                  {metric.edgeS !== null && (
                    <span className="ml-1 text-xs font-normal text-muted">above {latency(metric.edgeS)}</span>
                  )}
                </th>
                <Rate arm={metric.canary} />
                <Rate arm={metric.baseline} />
                <td className="px-3 py-2 max-lg:hidden">
                  <Dots metric={metric} margin={harmMargin(evidence, metric)} />
                </td>
                <td className="px-3 py-2">{verdict && <Badge tone={verdict.tone}>{verdict.word}</Badge>}</td>
                <td className="px-4 py-2 text-xs text-muted">{stillNeeded(metric)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

function Rate({ arm }: { arm: MetricEvidence['canary'] }) {
  return (
    <td className="px-3 py-2 text-right whitespace-nowrap">
      <span className="font-medium">{percent(arm.rate)}</span>
      <span className="ml-1.5 text-xs text-muted">of {count(arm.requests)}</span>
    </td>
  );
}

function stillNeeded(metric: MetricEvidence): string {
  if (metric.guarded === 'stall') return 'a fail that must hold with any six seconds left out';
  if (metric.guarded) return 'a fail that must hold with any three minutes left out';
  if (metric.verdict === 'pass' || metric.verdict === 'fail') return 'nothing';
  if (metric.verdict === 'no-data') return 'requests to both versions';
  if (metric.remaining === null) return neededWords(null);
  const toward = metric.remaining.toward === 'fail' ? 'to roll back' : 'to advance';
  return `${neededWords(metric.remaining).replace('decide', toward)}`;
}

/** The rate above which the canary does harm: rho times the baseline's, plus delta (analysis spec, fail side). */
export function harmMargin(evidence: Evidence, metric: MetricEvidence): number | null {
  const base = metric.baseline.rate;
  if (evidence.spec === null || base === null) return null;
  if (metric.metric === 'errors')
    return evidence.spec.errors === null
      ? null
      : base * evidence.spec.errors.failRho + evidence.spec.errors.failDelta;
  const quantile = { 'latency-p50': 0.5, 'latency-p95': 0.95, 'latency-p99': 0.99 }[metric.metric];
  const rule = evidence.spec.latency.find((one) => one.quantile === quantile);
  return rule === undefined ? null : base * rule.failRho;
}

const WIDTH = 208;

/** Baseline as a ring, canary as a filled diamond, the harm margin as a bar, on one axis from zero. */
function Dots({ metric, margin }: { metric: MetricEvidence; margin: number | null }) {
  const { canary, baseline } = metric;
  const most = Math.max(canary.rate ?? 0, baseline.rate ?? 0, margin ?? 0, 1e-4);
  const x = scaleLinear<number>({ domain: [0, most * 1.15], range: [6, WIDTH - 6] });
  const label = `canary ${percent(canary.rate)}, baseline ${percent(baseline.rate)}, harm above ${percent(margin)}`;
  return (
    <svg width={WIDTH} height="20" role="img" aria-label={label}>
      <line x1="6" x2={WIDTH - 6} y1="10" y2="10" className="stroke-line" />
      <line x1="6" x2="6" y1="5" y2="15" className="stroke-strong" />
      {margin !== null && (
        <line x1={x(margin)} x2={x(margin)} y1="2" y2="18" className="stroke-bad" strokeWidth="2" />
      )}
      {baseline.rate !== null && (
        <circle cx={x(baseline.rate)} cy="10" r="4" className="fill-panel stroke-muted" strokeWidth="2" />
      )}
      {canary.rate !== null && (
        <path d={`M${x(canary.rate)} 5l5 5-5 5-5-5Z`} className="fill-accent" fillOpacity="0.85" />
      )}
    </svg>
  );
}
