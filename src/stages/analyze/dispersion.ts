import { SlipwayError } from '../../kernel/errors.ts';

/** One baseline instance, minute by minute: n requests, e bad ones. All instances cover the same minutes. */
export interface InstanceMinutes {
  n: readonly number[];
  e: readonly number[];
}

/** Weight of the prior dispersion, in bad requests. */
const PRIOR_WEIGHT = 20;
/** Requests' worth of shrinkage of an instance's own rate toward the common one, in bad requests. */
const RATE_SHRINKAGE = 10;

/**
 * Over-dispersion of bad requests from window to window, beyond what the instances' shares of traffic explain: 1 when they
 * come singly, k when they come in clumps of about k. The larger of 1-minute and whole 5-minute windows (analysis.md D);
 * minutes after the last whole 5 do not enter the latter. `phi0` is what is believed before any data.
 */
export function phiWindow(instances: readonly InstanceMinutes[], phi0 = 1): number {
  checkMinutes(instances);
  return Math.max(phiAt(instances, 1, phi0), phiAt(instances, 5, phi0));
}

function phiAt(instances: readonly InstanceMinutes[], width: number, phi0: number): number {
  const count = Math.floor((instances[0]?.n.length ?? 0) / width);
  if (count < 2) return Math.max(1, width === 1 ? phi0 : 1);
  const n = instances.map((instance) => windows(instance.n, width, count));
  const e = instances.map((instance) => windows(instance.e, width, count));
  const requests = n.map(sum);
  const bad = e.map(sum);
  const total = sum(requests);
  if (total === 0) return Math.max(1, phi0);
  const p = sum(bad) / total;
  const q = requests.map((N, i) => ((bad[i] as number) + RATE_SHRINKAGE) / (N * p + RATE_SHRINKAGE));
  let numerator = 0;
  let denominator = 0;
  for (let k = 0; k < count; k++) {
    let share = 0;
    let badNow = 0;
    for (let i = 0; i < n.length; i++) {
      share += (n[i]?.[k] as number) * (q[i] as number);
      badNow += e[i]?.[k] as number;
    }
    if (share === 0) continue;
    let squares = 0;
    for (let i = 0; i < n.length; i++) {
      const expected = ((n[i]?.[k] as number) * (q[i] as number)) / share;
      numerator += ((e[i]?.[k] as number) - badNow * expected) ** 2;
      squares += expected * expected;
    }
    denominator += badNow * (1 - squares);
  }
  numerator *= count / (count - 1);
  denominator *= 1 - p;
  return Math.max(1, (numerator + PRIOR_WEIGHT * phi0) / (denominator + PRIOR_WEIGHT));
}

function windows(minutes: readonly number[], width: number, count: number): number[] {
  if (width === 1) return minutes.slice(0, count);
  return Array.from({ length: count }, (_, k) => sum(minutes.slice(k * width, (k + 1) * width)));
}

/**
 * Variance between instances of the logarithm of their rates: `n` requests and `e` bad ones of each baseline instance,
 * shrunk to `sigma0` squared (0.1 for errors, 0.03 for latency). One instance, or none with bad requests, gives the prior.
 */
export function sigma2Pod(n: readonly number[], e: readonly number[], phiW: number, sigma0 = 0.1): number {
  if (
    n.length !== e.length ||
    !(phiW >= 1) ||
    n.some((N, i) => !(N >= 0 && (e[i] as number) >= 0 && (e[i] as number) <= N))
  ) {
    throw new SlipwayError(
      'invalid_input',
      'Not counts of instances: n and e of equal length with 0 <= e <= n, phi >= 1',
    );
  }
  const used = n.map((_, i) => i).filter((i) => (n[i] as number) > 0);
  const requests = sum(n);
  const bad = sum(e);
  const nu = used.length - 1;
  const p = requests > 0 ? bad / requests : 0;
  if (nu < 1 || p === 0 || p === 1) return sigma0 * sigma0;
  let chi2 = 0;
  for (const i of used) {
    const expected = (n[i] as number) * p;
    chi2 += ((e[i] as number) - expected) ** 2 / (expected * (1 - p));
  }
  const mu = bad / used.length;
  const excess = Math.max(0, ((chi2 / nu - phiW) * (1 - p)) / mu);
  const weight = (nu * mu) / (mu + 5);
  return (4 * sigma0 * sigma0 + weight * excess) / (4 + weight);
}

function checkMinutes(instances: readonly InstanceMinutes[]): void {
  const length = instances[0]?.n.length ?? 0;
  for (const { n, e } of instances) {
    if (
      n.length !== length ||
      e.length !== length ||
      n.some((N, k) => !((e[k] as number) >= 0 && N < Infinity && (e[k] as number) <= N))
    ) {
      throw new SlipwayError('invalid_input', 'Not minutes of instances: equal lengths, finite, 0 <= e <= n');
    }
  }
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
