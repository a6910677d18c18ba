import { type Random, seeded } from './random.ts';

/** A simulated service during one rollout: what its instances count between looks. */

export interface Scenario {
  name: string;
  metric: 'errors' | 'latency-p50' | 'latency-p95' | 'latency-p99';
  /** Requests a second of the whole service. */
  rps: number;
  lookS: number;
  minutes: number;
  instances: number;
  /** Share of bad requests of the old version: errors, or slower than the edge. */
  rate: number;
  /** The same for the new version, from `onsetS` on. */
  canaryRate: number;
  onsetS: number;
  /** Percent of traffic to the canary, in equal spans of the rollout. */
  weights: readonly number[];
  /** Mean size of the clumps bad requests come in; sizes are geometric. */
  clump: number;
  /** Spread between instances of the log rate. */
  sigma: number;
  /** All instances ten times as bad for 30 s, about every 5 minutes. */
  bursts: boolean;
  /** The rate swings by half over 20 minutes. */
  drift: boolean;
  /** The canary's first instance is five times as bad for two minutes at some time. */
  neighbour: boolean;
  /** Minutes of history before the rollout. */
  history: number;
  guard: boolean;
  alpha: number;
}

export interface InstanceCount {
  n: number;
  e: number;
}

export interface Look {
  atS: number;
  weight: number;
  canary: readonly InstanceCount[];
  control: readonly InstanceCount[];
}

export interface World {
  /** One series of minutes for each control instance. */
  history: { n: number[]; e: number[] }[];
  looks: Iterable<Look>;
}

const BURST_FACTOR = 10;
const NEIGHBOUR_FACTOR = 5;

export function world(scenario: Scenario, seed: number): World {
  const random = seeded(seed);
  const { minutes, instances, sigma, rps } = scenario;
  const factor = () => Math.exp(sigma * random.normal() - (sigma * sigma) / 2);
  const factors = Array.from({ length: instances }, factor);
  const bursts = scenario.bursts ? burstTimes(random, -scenario.history * 60, minutes * 60) : [];
  const neighbourAtS = random.uniform() * (minutes - 2) * 60;
  const common = (t: number) =>
    (bursts.some((start) => t >= start && t < start + 30) ? BURST_FACTOR : 1) *
    (scenario.drift ? 1 + 0.5 * Math.sin((2 * Math.PI * t) / 1200) : 1);
  const draw = (expected: number, rate: number): InstanceCount => {
    const n = random.poisson(expected);
    const p = Math.min(1, rate);
    if (scenario.clump <= 1) return { n, e: random.binomial(n, p) };
    let e = 0;
    for (let clumps = random.poisson((n * p) / scenario.clump); clumps > 0; clumps--)
      e += random.geometric(scenario.clump);
    return { n, e: Math.min(n, e) };
  };
  const history = factors.map((own) => {
    const n: number[] = [];
    const e: number[] = [];
    for (let k = 0; k < scenario.history; k++) {
      const one = draw(
        (rps / instances) * 60,
        scenario.rate * own * mean(common, (k - scenario.history) * 60, 60),
      );
      n.push(one.n);
      e.push(one.e);
    }
    return { n, e };
  });
  function* looks(): Generator<Look> {
    const { lookS, weights } = scenario;
    for (let atS = lookS; atS <= minutes * 60; atS += lookS) {
      const middle = atS - lookS / 2;
      const span = Math.min(weights.length - 1, Math.floor((middle / (minutes * 60)) * weights.length));
      const weight = weights[span] as number;
      const canaries = Math.max(1, Math.round((instances * weight) / 100));
      const controls = instances - canaries;
      const share = (percent: number, among: number) => (rps * lookS * percent) / 100 / among;
      const now = common(middle);
      const canaryRate = middle >= scenario.onsetS ? scenario.canaryRate : scenario.rate;
      const hurt = scenario.neighbour && middle >= neighbourAtS && middle < neighbourAtS + 120;
      yield {
        atS,
        weight,
        // Canary instances are the last ones, so that a growing canary takes places from the control.
        canary: Array.from({ length: canaries }, (_, i) =>
          draw(
            share(weight, canaries),
            canaryRate *
              now *
              (factors[instances - 1 - i] as number) *
              (hurt && i === 0 ? NEIGHBOUR_FACTOR : 1),
          ),
        ),
        control: Array.from({ length: controls }, (_, i) =>
          draw(share(100 - weight, controls), scenario.rate * now * (factors[i] as number)),
        ),
      };
    }
  }
  return { history, looks: looks() };
}

function burstTimes(random: Random, fromS: number, toS: number): number[] {
  const times: number[] = [];
  const gap = () => -300 * Math.log(1 - random.uniform());
  let t = fromS + gap();
  while (t < toS) {
    times.push(t);
    t += gap();
  }
  return times;
}

function mean(f: (t: number) => number, fromS: number, lengthS: number): number {
  let total = 0;
  for (let i = 0; i < 12; i++) total += f(fromS + ((i + 0.5) * lengthS) / 12);
  return total / 12;
}
