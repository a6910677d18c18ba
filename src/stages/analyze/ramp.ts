import type { BudgetSpec, RolloutSpec, RolloutStep } from '../../kernel/rollout.ts';
import { remaining } from './judge.ts';
import { metricConfigs } from './metric.ts';
import type { MetricConfig } from './state.ts';

/**
 * Steps that follow from the traffic. A version of which a share `harm` of the requests fail is found after a number of
 * requests that is known beforehand, and until it is back at 0 % it goes on failing for some seconds more. Each step is as
 * heavy as it may be for that to cost no more than the share of the error budget; and it lasts until a version a quarter as
 * harmful would have been found, so that the next step has less to fear and may be heavier.
 */

export interface LaneTraffic {
  /** Requests a second of the whole lane. */
  ratePerS: number;
  /** Share of them that fail. */
  errorRate: number;
}

const WEIGHTS = [1, 2, 5, 10, 25, 50] as const;
/** Not all that a release can break is an error rate: at first most users keep the old version, whatever the budget allows. */
const FIRST_AT_MOST = 25;
/** From the verdict's first possible look to 0 %: looks and counters once a second, the way back, requests under way. */
const REACTION_S = 10;
/** What is reckoned with before the lane's own clumps are known: bad requests by twos. */
const CLUMP = 2;
const HARM_FALLS_BY = 4;
const MAX_LEVELS = 8;
const LEAST_DEADLINE_S = 1800;

/** Everything the steps follow from. */
interface Ramp {
  spec: RolloutSpec;
  budget: BudgetSpec;
  traffic: LaneTraffic;
  errors: MetricConfig;
  /** Seconds a bad version goes on, beside those in which its evidence gathers. */
  reactionS: number;
  /** Bad requests the rollout may cost. */
  allowedBad: number;
}

/**
 * The steps for `traffic`; those of `spec`, the most careful ones, where it is not known, or so small that even the lightest
 * step would cost too much or all of them last longer than half the progress deadline.
 */
export function budgetedSteps(spec: RolloutSpec, traffic: LaneTraffic | null): readonly RolloutStep[] {
  const ramp = rampOf(spec, traffic);
  if (ramp === null) return spec.steps;
  const steps: { weight: number; seconds: number }[] = [];
  let harm = ramp.budget.ramp?.harm ?? 1;
  for (let level = 0; level < MAX_LEVELS; level++, harm /= HARM_FALLS_BY) {
    const last = steps.at(-1);
    const weight = heaviest(ramp, harm, last?.weight ?? null);
    if (weight === null) return spec.steps;
    const seconds = secondsToFind(ramp, harm / HARM_FALLS_BY, weight);
    if (!Number.isFinite(seconds)) break;
    if (last?.weight === weight) last.seconds = Math.max(last.seconds, seconds);
    else steps.push({ weight, seconds });
    if (weight === WEIGHTS.at(-1)) break;
  }
  const total = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  if (steps.length === 0 || total > spec.progressDeadlineS / 2) return spec.steps;
  return steps.map(({ weight, seconds }, i) => {
    const minimumS = Math.ceil(seconds);
    const requirePass = i === steps.length - 1;
    const deadlineS = requirePass
      ? Math.floor(spec.progressDeadlineS - total)
      : Math.max(LEAST_DEADLINE_S, 2 * minimumS);
    return { weight, minimumS, requirePass, manual: false, deadlineS: Math.max(deadlineS, minimumS + 1) };
  });
}

function rampOf(spec: RolloutSpec, traffic: LaneTraffic | null): Ramp | null {
  const { analysis } = spec;
  const budget = analysis?.budget;
  if (!analysis || !budget?.ramp || analysis.errors === null) return null;
  if (traffic === null || !(traffic.ratePerS > 0)) return null;
  const errors = metricConfigs(analysis)[0] as MetricConfig;
  const reactionS = analysis.warmupS + REACTION_S;
  const allowedBad = budget.share * (1 - budget.objective) * traffic.ratePerS * budget.periodS;
  return { spec, budget, traffic, errors, reactionS, allowedBad };
}

/** The heaviest step a version of that harm may have; never lighter than the one before. null: there is none. */
function heaviest(ramp: Ramp, harm: number, before: number | null): number | null {
  const fits = WEIGHTS.filter((weight) => {
    const limit = before === null ? FIRST_AT_MOST : 100;
    return weight <= limit && weight > (before ?? 0) && cost(ramp, harm, weight) <= ramp.allowedBad;
  });
  return fits.at(-1) ?? before;
}

/** Bad requests of a version of that harm, from its first request until it is back at 0 %. */
function cost(ramp: Ramp, harm: number, weight: number): number {
  const { traffic, reactionS } = ramp;
  return harm * (requestsToFind(ramp, harm, weight) + (weight / 100) * traffic.ratePerS * reactionS);
}

function secondsToFind(ramp: Ramp, harm: number, weight: number): number {
  return requestsToFind(ramp, harm, weight) / ((weight / 100) * ramp.traffic.ratePerS) + ramp.reactionS;
}

/** Canary requests until its errors are proven, by the bet of the grid that gains most; Infinity within the margins. */
function requestsToFind({ spec, traffic, errors }: Ramp, harm: number, weight: number): number {
  const { fail, failProcess } = errors;
  const { psis, u0 } = failProcess;
  const start = Math.log(u0 / psis.length);
  return remaining(start, Math.log(1 / fail.alpha), {
    thetaC: Math.min(1, traffic.errorRate + harm),
    thetaB: traffic.errorRate,
    split: weight / controlShare(spec, weight),
    rho: fail.rho,
    delta: fail.delta,
    g: CLUMP,
    psis,
  });
}

/** Percent of the traffic the canary is compared with: baseline instances carry as much each as the canary's do. */
function controlShare({ canaryInstances, baselineInstances }: RolloutSpec, weight: number): number {
  if (baselineInstances === 0) return 100 - weight;
  return Math.min(100 - weight, (weight * baselineInstances) / Math.max(1, canaryInstances));
}
