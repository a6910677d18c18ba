import { betClump, EProcess, PSI } from '../../src/stages/analyze/judge.ts';
import type { InstanceCount, Look, Scenario, World } from './world.ts';

/**
 * How others decide, on the same traffic. Each returns the seconds until it would roll back; null when it never does.
 * Written from their documented behaviour and defaults; see the comment of each.
 */
export type Judge = (scenario: Scenario, world: World) => number | null;

const sum = (arm: readonly InstanceCount[]) =>
  arm.reduce((all, one) => ({ n: all.n + one.n, e: all.e + one.e }), { n: 0, e: 0 });

interface Minute {
  canary: InstanceCount;
  control: InstanceCount;
  endS: number;
}

function* minutesOf(looks: Iterable<Look>): Generator<Minute> {
  let canary = { n: 0, e: 0 };
  let control = { n: 0, e: 0 };
  for (const look of looks) {
    const c = sum(look.canary);
    const b = sum(look.control);
    canary = { n: canary.n + c.n, e: canary.e + c.e };
    control = { n: control.n + b.n, e: control.e + b.e };
    if (look.atS % 60 !== 0) continue;
    yield { canary, control, endS: look.atS };
    canary = { n: 0, e: 0 };
    control = { n: 0, e: 0 };
  }
}

const rate = ({ n, e }: InstanceCount) => (n === 0 ? 0 : e / n);

/**
 * Kayenta's NetflixACAJudge on a metric of one point a minute: Mann-Whitney, 98 % confidence interval of the shift, "High"
 * when its lower end is above tolerance (.25) times the Hodges-Lehmann estimate. Judged once at the end, or every minute
 * from the fifth on (`peeking`).
 */
export function kayenta(peeking: boolean): Judge {
  return ({ minutes }, { looks }) => {
    const canary: number[] = [];
    const control: number[] = [];
    for (const minute of minutesOf(looks)) {
      canary.push(rate(minute.canary));
      control.push(rate(minute.control));
      const judged = peeking ? canary.length >= 5 : minute.endS === minutes * 60;
      if (judged && isHigh(canary, control)) return minute.endS;
    }
    return null;
  };
}

const Z_98 = 2.3263478740408408;
const TOLERANCE = 0.25;

/** The asymptotic interval of R's wilcox.test (normal approximation, continuity correction, ties), which Kayenta follows. */
function isHigh(x: readonly number[], y: readonly number[]): boolean {
  const low = Math.min(...x) - Math.max(...y);
  const high = Math.max(...x) - Math.min(...y);
  if (low === high) return false;
  const z = (shift: number) => standardizedRankSum(x, y, shift);
  const lower = root(z, Z_98, low, high);
  const estimate = root(z, 0, low, high);
  return lower > TOLERANCE * estimate && lower > 0;
}

function standardizedRankSum(x: readonly number[], y: readonly number[], shift: number): number {
  const values = [
    ...x.map((value) => ({ value: value - shift, own: true })),
    ...y.map((value) => ({ value, own: false })),
  ];
  values.sort((a, b) => a.value - b.value);
  const all = values.length;
  let ranks = 0;
  let ties = 0;
  for (let from = 0; from < all; ) {
    let to = from;
    while (to < all && values[to]?.value === values[from]?.value) to++;
    const tied = to - from;
    ties += tied ** 3 - tied;
    for (let i = from; i < to; i++) if (values[i]?.own) ranks += (from + 1 + to) / 2;
    from = to;
  }
  const dz = ranks - (x.length * (x.length + 1)) / 2 - (x.length * y.length) / 2;
  const variance = ((x.length * y.length) / 12) * (all + 1 - ties / (all * (all - 1)));
  return variance === 0 ? 0 : (dz - Math.sign(dz) * 0.5) / Math.sqrt(variance);
}

/** The shift at which the decreasing statistic reaches `level`. */
function root(z: (shift: number) => number, level: number, low: number, high: number): number {
  if (z(low) <= level) return low;
  if (z(high) >= level) return high;
  let [a, b] = [low, high];
  for (let i = 0; i < 50 && b - a > 1e-7 * (high - low); i++) {
    const middle = (a + b) / 2;
    if (z(middle) > level) a = middle;
    else b = middle;
  }
  return (a + b) / 2;
}

/** Argo Rollouts' analysis of its documentation's example: success rate >= 0.95 each minute, failureLimit 3: the fourth fails. */
export const argo: Judge = (_, { looks }) => {
  let failures = 0;
  for (const { canary, endS } of minutesOf(looks)) {
    if (rate(canary) > 0.05) failures++;
    if (failures > 3) return endS;
  }
  return null;
};

/** Flagger's documented example: request-success-rate min 99 at an interval of 1m, threshold 5: the fifth failed check in all. */
export const flagger: Judge = (_, { looks }) => {
  let failures = 0;
  for (const { canary, endS } of minutesOf(looks)) {
    if (rate(canary) > 0.01) failures++;
    if (failures >= 5) return endS;
  }
  return null;
};

/** Lindon and Malek's sequential multinomial test (arXiv 2011.03567): no margin, no clumps, no instance noise. */
export const lindonMalek: Judge = ({ alpha }, { looks }) => {
  const process = new EProcess({ psis: PSI.errors, u0: 1, slots: 1 });
  for (const look of looks) {
    const canary = sum(look.canary);
    const control = sum(look.control);
    const logE = process.look(canary.n, canary.e, control.n, control.e, (nc, ec, nb, eb, psi) =>
      betClump(nc, ec, nb, eb, { rho: 1, delta: 0, g: 1, psi }),
    );
    if (logE >= Math.log(1 / alpha)) return look.atS;
  }
  return null;
};
