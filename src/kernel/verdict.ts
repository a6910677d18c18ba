/** What the evidence says so far. `no-data` is never a pass. */
export type Verdict = 'pass' | 'fail' | 'inconclusive' | 'no-data';

/** One metric's evidence at one look, as the pages draw it. Log e-values are natural logs. */
export interface MetricEvidence {
  metric: 'errors' | 'latency-p50' | 'latency-p95' | 'latency-p99';
  verdict: Verdict;
  fail: { logE: number; threshold: number };
  pass: { logE: number; threshold: number };
  canary: { requests: number; bad: number; rate: number | null };
  baseline: { requests: number; bad: number; rate: number | null };
  /** For latency: the frozen bucket edge, in seconds, above which a request counts as bad. */
  edgeS: number | null;
  /**
   * A fail that is not acted on yet: it must also hold with any three minutes (transient) or any six seconds (stall) left out.
   * Absent otherwise.
   */
  guarded?: 'transient' | 'stall';
  /** What is still needed for a pass (or a fail, where the canary looks worse) at the rates seen; null when it cannot be said. */
  remaining: { toward: 'pass' | 'fail'; requests: number; seconds: number | null } | null;
}

export interface EvidencePoint {
  atMs: number;
  /** Percent of traffic to the canary at the look. */
  canaryWeight: number;
  verdict: Verdict;
  metrics: readonly MetricEvidence[];
  /** What the rollout has cost and may cost, as shares of the period's error budget; absent without a budget. */
  budget?: { spent: number; allowed: number };
  /** Requests per second and latency quantiles (seconds) since the look before, for drawing. */
  rates: Readonly<
    Record<
      'canary' | 'baseline',
      { rps: number; errorRate: number | null; p50S: number | null; p95S: number | null; p99S: number | null }
    >
  >;
}
