import { clumpStakes } from './bets.ts';
import { checkPositive } from './bounds.ts';
import { tQuantile } from './student.ts';

/**
 * The judge: anytime-valid comparison of a canary with its concurrent baseline. Pure functions; each formula's
 * source stands beside it. It may be asked at any time, as often as wanted. The sections A to H named in the comments are
 * those of the algorithm: bets on counts (A) and shares (B), the e-process (C), dispersion (D), thresholds (E), the
 * verdict (F, plan.ts), the transient guard (G, guard.ts), gauges (H).
 */
export { betBernoulli, betClump, PSI } from './bets.ts';
export { phiWindow, sigma2Pod } from './dispersion.ts';
export { EProcess } from './eprocess.ts';
export { tQuantile } from './student.ts';

export interface ThresholdInput {
  alpha: number;
  /** Error probability of the instance-noise term: half of `alpha` is usual. */
  alphaPod: number;
  /** Variance between instances of the log rate. */
  sigma2: number;
  /** Bad requests expected of one canary instance under H0: (rho p_b + delta) n_c / m_c. */
  muC: number;
  /** Window dispersion, at least 1. */
  phiW: number;
  /** Instances in each arm. */
  mc: number;
  mb: number;
  /** Baseline rate for latency; 0 for errors. */
  p?: number;
}

/**
 * Stop at ln E >= T: ln(1/alpha), plus what the canary's instances may differ by chance as instances of one version do
 * (analysis.md E). Rises with n_c, so a difference within instance noise never crosses.
 */
export function threshold(input: ThresholdInput): number {
  const { alpha, alphaPod, mb } = input;
  return Math.log(1 / alpha) + noiseTerm(input, tQuantile(1 - alphaPod, mb + 3));
}

/** The instance-noise part of `threshold`, with the t quantile at hand: it changes only when the instances do. */
export function noiseTerm(input: Omit<ThresholdInput, 'alpha' | 'alphaPod'>, t: number): number {
  const { sigma2, muC, phiW, mc, mb, p = 0 } = input;
  return ((0.5 * t * t * sigma2 * muC) / ((1 - p) * phiW)) * (1 + mc / mb);
}

export interface RemainingInput {
  /** Rates of bad requests as seen. */
  thetaC: number;
  thetaB: number;
  /** nc / nb. */
  split: number;
  rho: number;
  delta: number;
  g: number;
  psis: readonly number[];
}

/**
 * Canary requests still needed to reach T at the rates seen, by the best single bet of the grid; rounded to whole requests.
 * 0 when T is reached, Infinity when no bet of the grid gains at these rates.
 */
export function remaining(logE: number, T: number, input: RemainingInput): number {
  const { thetaC, thetaB, split, rho, delta, g, psis } = input;
  checkPositive(split, 'split');
  let best = 0;
  for (const psi of psis) {
    const stakes = clumpStakes(rho * split, g, psi);
    const gain = thetaC * stakes.canary + (thetaB * stakes.baseline) / split - delta * stakes.d;
    if (gain > best) best = gain;
  }
  return requestsNeeded(logE, T, best);
}

/** Requests until ln E, growing by `gain` a canary request, reaches T. */
export function requestsNeeded(logE: number, T: number, gain: number): number {
  if (logE >= T) return 0;
  return gain > 0 ? Math.ceil((T - logE) / gain) : Number.POSITIVE_INFINITY;
}

export interface GaugeInput {
  /** ln of the tolerated ratio. */
  logMargin: number;
  alpha: number;
  /** Share of the rollout's time at the look before and now, 0 to 1. */
  tPrev: number;
  tNow: number;
}

/** t, the error probability spent at this look, the critical value, whether it crosses, and canary over baseline as a ratio. */
export type GaugeResult = readonly [
  t: number,
  alphaK: number,
  critical: number,
  crosses: boolean,
  ratio: number,
];

/**
 * CPU, memory, cost: `canary` and `baseline` hold one number an instance, its cumulative mean of the log value; time points
 * are never treated as independent. Spending by Lan and DeMets (1983), Pocock form, over the looks.
 */
export function gaugeLook(
  canary: readonly number[],
  baseline: readonly number[],
  input: GaugeInput,
): GaugeResult {
  const { logMargin, alpha, tPrev, tNow } = input;
  const spent = (t: number) => alpha * Math.log(1 + (Math.E - 1) * Math.min(1, Math.max(0, t)));
  const alphaK = spent(tNow) - spent(tPrev);
  const yc = mean(canary);
  const yb = mean(baseline);
  const ratio = Math.exp(yc - yb);
  const mb = baseline.length;
  // One baseline instance shows no spread: nothing can be said.
  if (mb < 2 || canary.length === 0 || !(alphaK > 0))
    return [0, Math.max(0, alphaK), Number.POSITIVE_INFINITY, false, ratio];
  const variance = baseline.reduce((total, y) => total + (y - yb) ** 2, 0) / (mb - 1);
  const critical = tQuantile(1 - alphaK, mb - 1);
  const spread = Math.sqrt(variance * (1 / canary.length + 1 / mb));
  const excess = yc - yb - logMargin;
  const t = excess === 0 ? 0 : excess / spread;
  return [t, alphaK, critical, t >= critical, ratio];
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
