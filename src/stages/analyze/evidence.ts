import { LATENCY_EDGES_S } from '../../kernel/dataplane.ts';
import type { EvidencePoint, MetricEvidence, Verdict } from '../../kernel/verdict.ts';
import type { Cost } from './budget.ts';
import { type InstanceIncrement, type Snapshot, sumIncrements } from './counters.ts';
import { guardAllows } from './guard.ts';
import { quantileS } from './histogram.ts';
import { requestsNeeded } from './judge.ts';
import { betOf, type Standing, standing } from './metric.ts';
import { outlivesStall } from './stall.ts';
import type { AnalysisState, MetricConfig, MetricState } from './state.ts';

/** The evidence of one look as the pages draw it. */

/**
 * So far on the way to a fail nothing passes any more: at the usual alpha that is an e-value of two, and more where instances
 * differ. Without this a defect within the margin of a pass often wins the race against its own proof.
 */
const LEANS_TO_FAIL = 1 / 6;

export function metricEvidence(
  config: MetricConfig,
  metric: MetricState,
  state: AnalysisState,
  instances: { canary: number; control: number },
): MetricEvidence {
  const { fail, pass } = standing(config, metric, instances.canary, instances.control);
  const { nc, ec, nb, eb } = metric.totals;
  const heard = nc > 0 && nb > 0;
  const held = heard && fail.crossed ? heldBack(config, metric, fail.threshold) : null;
  const failed = fail.crossed && held === null;
  const verdict: Verdict = !heard
    ? 'no-data'
    : failed
      ? 'fail'
      : pass.crossed && fail.logE < LEANS_TO_FAIL * fail.threshold
        ? 'pass'
        : 'inconclusive';
  return {
    metric: config.metric,
    verdict,
    fail: { logE: short(fail.logE), threshold: short(fail.threshold) },
    pass: { logE: short(pass.logE), threshold: short(pass.threshold) },
    canary: { requests: nc, bad: ec, rate: nc > 0 ? short(ec / nc) : null },
    baseline: { requests: nb, bad: eb, rate: nb > 0 ? short(eb / nb) : null },
    edgeS: metric.edge === null ? null : (LATENCY_EDGES_S[metric.edge] as number),
    ...(held === null ? {} : { guarded: held }),
    remaining:
      verdict === 'inconclusive' && held === null
        ? stillNeeded(config, metric, { fail, pass }, state.canaryRps)
        : null,
  };
}

/** What a crossing has not outlived yet; null when it may be acted on. */
function heldBack(
  config: MetricConfig,
  metric: MetricState,
  threshold: number,
): 'transient' | 'stall' | null {
  if (metric.guard !== null && !guardAllows(config, metric.guard, threshold)) return 'transient';
  return metric.stall !== undefined && !outlivesStall(metric.stall) ? 'stall' : null;
}

const SHRINKAGE = 200;

/** Requests and time to a decision at the rates seen, the growth of the threshold included; null when it cannot be said. */
function stillNeeded(
  config: MetricConfig,
  metric: MetricState,
  standings: { fail: Standing; pass: Standing },
  canaryRps: number | null,
): MetricEvidence['remaining'] {
  const { nc, ec, nb, eb } = metric.totals;
  const thetaB = eb / nb;
  // A few requests say little: until there are more, the canary is taken to be like its baseline.
  const thetaC = (ec + SHRINKAGE * thetaB) / (nc + SHRINKAGE);
  const worse = ec / nc > (config.fail.rho * eb) / nb + config.fail.delta;
  const toward = worse || standings.pass.crossed ? 'fail' : 'pass';
  const { logE, threshold, slope } = standings[toward];
  const { psis } = toward === 'fail' ? config.failProcess : config.passProcess;
  const bet = betOf(config, metric, config[toward]);
  // The bets are linear in the counts: what one canary request and its share of baseline requests are worth.
  const perCanary = nb / nc;
  let best = 0;
  for (const psi of psis) best = Math.max(best, bet(1, thetaC, perCanary, thetaB * perCanary, psi));
  const requests = requestsNeeded(logE, threshold, best - slope);
  if (!Number.isFinite(requests) || requests > Number.MAX_SAFE_INTEGER) return null;
  return {
    toward,
    requests,
    seconds: canaryRps !== null && canaryRps > 0 ? Math.ceil(requests / canaryRps) : null,
  };
}

export function evidencePoint(look: {
  snapshot: Snapshot;
  verdict: Verdict;
  metrics: readonly MetricEvidence[];
  cost: Cost | null;
  increments: readonly InstanceIncrement[];
  /** null after the router started anew: its counters say how much, not since when. */
  sinceMs: number | null;
  isControl: (one: InstanceIncrement) => boolean;
}): EvidencePoint {
  const { snapshot, verdict, metrics, cost, increments, sinceMs, isControl } = look;
  const rates = (select: (one: InstanceIncrement) => boolean) => {
    const { requests, errors, latency } = sumIncrements(increments, select);
    const quantile = (q: number) => {
      const value = quantileS(latency, q);
      return value === null ? null : short(value);
    };
    return {
      rps: sinceMs !== null && sinceMs > 0 ? short((requests * 1000) / sinceMs) : 0,
      errorRate: requests > 0 ? short(errors / requests) : null,
      p50S: quantile(0.5),
      p95S: quantile(0.95),
      p99S: quantile(0.99),
    };
  };
  return {
    atMs: snapshot.atMs,
    canaryWeight: snapshot.canaryWeight,
    verdict,
    metrics,
    ...(cost === null ? {} : { budget: { spent: short(cost.spent), allowed: cost.allowed } }),
    rates: { canary: rates((one) => one.arm === 'canary'), baseline: rates(isControl) },
  };
}

/** Five digits are enough to draw, and keep a series of hundreds of points small. */
function short(value: number): number {
  return Math.abs(value) < 1e-12 ? 0 : Number(value.toPrecision(5));
}
