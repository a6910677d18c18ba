import type { Scenario } from './world.ts';

/** The figures of the analysis, each with the bound it must keep. */
export interface Figure {
  scenario: Scenario;
  /** Rollbacks of a version that is no worse: at most this share. */
  falseAlarms?: number;
  /** Seconds to the rollback of a worse one: the median at most this. */
  medianS?: number;
}

const BASE: Scenario = {
  name: '',
  metric: 'errors',
  rps: 1000,
  lookS: 5,
  minutes: 30,
  instances: 20,
  rate: 0.001,
  canaryRate: 0.001,
  onsetS: 0,
  weights: [5],
  clump: 1,
  sigma: 0,
  bursts: false,
  drift: false,
  neighbour: false,
  history: 30,
  guard: false,
  alpha: 0.05,
};
const RAMP = [1, 5, 10, 25, 50];
const LATENCY = { lookS: 30, sigma: 0.03 } as const;

function same(name: string, falseAlarms: number, change: Partial<Scenario> = {}): Figure {
  const scenario = { ...BASE, ...change, name };
  return { scenario: { ...scenario, canaryRate: scenario.rate }, falseAlarms };
}

function worse(name: string, medianS: number, change: Partial<Scenario>): Figure {
  // Instances differ a little, as they do.
  return { scenario: { ...BASE, sigma: 0.1, ...change, name }, medianS };
}

/** Share above the edge at quantile `q` after all latencies grew by `factor`: log-normal latencies, log deviation 0.4. */
export function slower(q: number, factor: number): number {
  const deviation = 0.4;
  return 1 - normalCdf(normalQuantile(q) - Math.log(factor) / deviation);
}

export const FIGURES: readonly Figure[] = [
  same('same, independent errors', 0.01),
  same('same, 1 % errors', 0.01, { rate: 0.01 }),
  same('same, errors in clumps of 3', 0.015, { clump: 3 }),
  same('same, clumps of 3, bursts, drift, weight steps', 0.015, {
    clump: 3,
    bursts: true,
    drift: true,
    weights: RAMP,
  }),
  same('same, instances differ by 0.2', 0.02, { sigma: 0.2 }),
  same('same, instances differ by 0.4', 0.05, { sigma: 0.4 }),
  same('same, all of it together', 0.03, { clump: 3, bursts: true, drift: true, weights: RAMP, sigma: 0.2 }),
  same('same, noisy neighbour x5 for 2 min, guard', 0.01, { neighbour: true, guard: true }),
  same('same, clumps of 3, no history', 0.05, { clump: 3, history: 0 }),
  same('same, clumps of 5, no history', 0.05, { clump: 5, history: 0 }),
  same('same, p50', 0.02, { ...LATENCY, metric: 'latency-p50', rate: 0.5 }),
  same('same, p95', 0.02, { ...LATENCY, metric: 'latency-p95', rate: 0.05 }),
  same('same, p99', 0.02, { ...LATENCY, metric: 'latency-p99', rate: 0.01 }),
  worse('0.1 -> 0.5 % at 1,000 rps', 40, { canaryRate: 0.005 }),
  worse('0.1 -> 0.5 % at 100 rps', 300, { canaryRate: 0.005, rps: 100 }),
  worse('1 -> 2 % at 1,000 rps', 45, { rate: 0.01, canaryRate: 0.02 }),
  worse('1 -> 20 % at 20 rps, guard', 60, { rate: 0.01, canaryRate: 0.2, rps: 20, guard: true }),
  worse('p99 +50 % at 1,000 rps', 120, {
    ...LATENCY,
    metric: 'latency-p99',
    rate: 0.01,
    canaryRate: slower(0.99, 1.5),
  }),
  worse('p50 +5 % at 1,000 rps', 120, {
    ...LATENCY,
    metric: 'latency-p50',
    rate: 0.5,
    canaryRate: slower(0.5, 1.05),
  }),
  worse('0.1 -> 0.5 % at 1,000 rps, no history', 120, { canaryRate: 0.005, history: 0 }),
];

/** Abramowitz and Stegun 26.2.17; 1e-7 is far below what is measured here. */
function normalCdf(z: number): number {
  if (z < 0) return 1 - normalCdf(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const tail =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * tail;
}

function normalQuantile(p: number): number {
  let [low, high] = [-10, 10];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
