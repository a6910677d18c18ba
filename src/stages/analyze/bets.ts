import { checkCounts, checkPositive, checkShare } from './bounds.ts';

/**
 * Log e-values of one look: how much a bet against H0 earned. Each is the logarithm of a factor whose mean is at most 1
 * while H0 holds, whatever the baseline's rate is. All logs are natural.
 */

function grid(low: number, high: number): readonly number[] {
  const from = Math.log(low);
  const step = (Math.log(high) - from) / 5;
  return Array.from({ length: 6 }, (_, i) => Math.exp(Math.exp(i === 5 ? Math.log(high) : from + i * step)));
}

/** Effect sizes the mixture bets on, as odds multipliers: psi_j = exp(exp(linspace(ln low, ln high, 6))). */
export const PSI = {
  errors: grid(0.3, 3),
  p50: grid(0.04, 1.28),
  p95: grid(0.08, 2),
  p99: grid(0.1, 2.5),
} as const;

/** The margin of H0 (rate_c <= rho * rate_b + delta), the clump size g >= 1, and one effect size psi. */
export interface ClumpBet {
  rho: number;
  delta: number;
  g: number;
  psi: number;
}

/** The margin, the predictable baseline rate pb, the dispersion phi >= 1, and one effect size psi. */
export interface BernoulliBet {
  rho: number;
  delta: number;
  pb: number;
  phi: number;
  psi: number;
}

/** What one bad canary request, one bad baseline request and one canary request (through delta) are worth. */
export interface ClumpStakes {
  canary: number;
  baseline: number;
  d: number;
}

/** The stakes at r = rho * nc / nb. psi > 1 bets on a worse canary, psi < 1 on a better one. */
export function clumpStakes(r: number, g: number, psi: number): ClumpStakes {
  const x = (psi - 1) / (1 + r * psi);
  const q = 2 * g - 1;
  const d = Math.min((2 * x) / (q + Math.sqrt(q * q + 4 * g * (g - 1) * x)), 0.95 / (g * r));
  const y = r * d;
  return {
    canary: Math.log1p(g * d) - Math.log1p((g - 1) * d),
    baseline: Math.log1p(-g * y) - Math.log1p(-(g - 1) * y),
    d,
  };
}

/**
 * Errors, timeouts, restarts: nc, nb requests of canary and baseline in the look, ec, eb bad ones among them. With g = 1,
 * delta = 0, rho = 1 this is the conditional multinomial ratio of Lindon and Malek (arXiv 2011.03567). A look without
 * requests in one arm says nothing (0); `EProcess` pools it. Throws `invalid_input` on counts that cannot be.
 */
export function betClump(nc: number, ec: number, nb: number, eb: number, bet: ClumpBet): number {
  checkCounts(nc, ec, nb, eb);
  const { rho, delta, g, psi } = bet;
  checkPositive(rho * psi, 'rho and psi');
  checkPositive(g >= 1 ? g : 0, 'g, at least 1,');
  checkShare(delta, 'delta');
  if (nc === 0 || nb === 0) return 0;
  const stakes = clumpStakes((rho * nc) / nb, g, psi);
  return ec * stakes.canary + eb * stakes.baseline - nc * delta * stakes.d;
}

/**
 * Share above a latency edge: ec, eb of nc, nb requests were slower than the edge. pb only tunes the bet; it may be wrong
 * without harm, but must come from earlier looks. A look without requests in one arm says nothing (0).
 */
export function betBernoulli(nc: number, ec: number, nb: number, eb: number, bet: BernoulliBet): number {
  checkCounts(nc, ec, nb, eb);
  const { rho, delta, pb, phi, psi } = bet;
  checkPositive(rho * phi * psi, 'rho, phi and psi');
  checkShare(pb, 'pb');
  checkShare(delta / 0.99, 'delta');
  if (nc === 0 || nb === 0) return 0;
  const p0 = Math.min(pb, (0.99 - delta) / rho);
  const pc = rho * p0 + delta;
  const r = (rho * nc) / nb;
  let d = (psi - 1) / (1 + r * psi + pc * (psi - 1));
  if (psi < 1) d = Math.max(d, -0.9 / Math.max(r * p0, 0.9));
  return (
    (ec * Math.log1p((1 - pc) * d) +
      (nc - ec) * Math.log1p(-pc * d) +
      eb * Math.log1p(-(1 - p0) * r * d) +
      (nb - eb) * Math.log1p(p0 * r * d)) /
    phi
  );
}
