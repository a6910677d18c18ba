import type { MetricEvidence } from '../../kernel/verdict.ts';

/** Reasons in words: what a person reads first on the page, in the CLI and in the ledger. */

const NAMES = {
  errors: 'errors',
  'latency-p50': 'latency p50',
  'latency-p95': 'latency p95',
  'latency-p99': 'latency p99',
} as const satisfies Record<MetricEvidence['metric'], string>;

export function metricName(metric: MetricEvidence['metric']): string {
  return NAMES[metric];
}

/** `2.1 %`; more digits where one would say nothing. */
export function percent(rate: number | null): string {
  if (rate === null) return 'nothing';
  const value = rate * 100;
  if (value === 0 || value >= 0.1) return `${value.toFixed(1)} %`;
  return `${value.toPrecision(2)} %`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function seconds(value: number): string {
  if (value < 100) return `${Math.ceil(value)} s`;
  if (value < 2 * 3600) return `${Math.ceil(value / 60)} min`;
  return `${Math.ceil(value / 3600)} h`;
}

/** `errors: canary 2.1 % of 3,104 against baseline 0.0 % of 3,050`. */
export function comparison(evidence: MetricEvidence): string {
  const { metric, canary, baseline, edgeS } = evidence;
  const slower = edgeS === null ? '' : ` slower than ${Number((edgeS * 1000).toPrecision(3))} ms`;
  return `${metricName(metric)}: canary ${percent(canary.rate)} of ${count(canary.requests)}${slower} against baseline ${percent(
    baseline.rate,
  )} of ${count(baseline.requests)}`;
}

function against(direction: { logE: number; threshold: number }): string {
  return `evidence ${direction.logE.toFixed(1)} of ${direction.threshold.toFixed(1)} needed`;
}

export function failReason(evidence: MetricEvidence): string {
  return `${comparison(evidence)}; ${against(evidence.fail)}`;
}

/** A fail that is not acted on yet. */
export function guardedReason(evidence: MetricEvidence): string {
  const [who, how] =
    evidence.guarded === 'stall'
      ? ['the stall guard', 'six seconds']
      : ['the transient guard', 'three minutes'];
  return `held by ${who}: ${failReason(evidence)}, but not yet with any ${how} left out`;
}

export function passReason(evidence: readonly MetricEvidence[]): string {
  return `no worse than the baseline: ${evidence.map((one) => `${comparison(one)} (${against(one.pass)})`).join('; ')}`;
}

/** What is still needed, of the metric that needs most. */
export function inconclusiveReason(open: readonly MetricEvidence[]): string {
  const needs = (one: MetricEvidence) => one.remaining?.requests ?? Number.POSITIVE_INFINITY;
  const worst = [...open].sort((a, b) => needs(b) - needs(a))[0];
  if (worst === undefined) return 'no metric decides';
  // What has enough for a pass and is none looks worse at the same time.
  const enough = worst.pass.logE >= worst.pass.threshold;
  const toward = worst.remaining?.toward ?? (enough ? 'fail' : 'pass');
  const what = `${comparison(worst)}; ${against(toward === 'fail' ? worst.fail : worst.pass)} to ${toward}`;
  if (worst.remaining === null) return `${what}; at these rates there is no telling when`;
  const { requests, seconds: time } = worst.remaining;
  return `${what}; about ${count(requests)} more canary requests${time === null ? '' : ` (${seconds(time)})`}`;
}
