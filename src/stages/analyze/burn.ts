import type { BudgetSpec } from '../../kernel/rollout.ts';
import type { Exposure } from './state.ts';
import { count, percent } from './words.ts';

/**
 * The lane's own alarm while a rollout moves (metrics.md, burn rate): no version goes on while users burn the error budget at
 * the pace that pages somebody. Whose fault it is decides what follows: the new version's, when it fails so often and the old
 * one beside it does not; else the rollout holds.
 */

export const LONG_MINUTES = 60;
export const SHORT_MINUTES = 5;
/** Share of the period's budget that is gone within the long window: 14.4 times the even pace, for 30 days. */
const PAGE_SHARE = 0.02;
const LEAST_REQUESTS = 100;

export interface BurnWindow {
  requests: number;
  errors: number;
}

/** All requests of the lane up to now, whichever version answered. */
export interface LaneBurn {
  long: BurnWindow;
  short: BurnWindow;
}

export interface Burning {
  /** The new version alone is to blame. */
  caused: boolean;
  reason: string;
}

/** null while nothing burns, or too little was seen to say so. */
export function burning(budget: BudgetSpec, burn: LaneBurn, exposure: Exposure): Burning | null {
  const { long, short } = burn;
  const even = 1 - budget.objective;
  const pace = (PAGE_SHARE * budget.periodS) / (LONG_MINUTES * 60);
  const limit = pace * even;
  const fires = ({ requests, errors }: BurnWindow) =>
    requests >= LEAST_REQUESTS && errors >= budget.minimumBad && errors / requests > limit;
  if (!fires(long) || !fires(short)) return null;
  const { nc, ec, nb, eb } = exposure;
  const canary = nc > 0 && ec >= budget.minimumBad && ec / nc > limit;
  const caused = canary && nb > 0 && eb / nb <= limit;
  const fast = Number((long.errors / long.requests / even).toPrecision(2));
  const lane = `the error budget burns ${fast} times as fast as it lasts: ${percent(long.errors / long.requests)} of the lane's requests failed in ${LONG_MINUTES} min, ${percent(short.errors / short.requests)} in ${SHORT_MINUTES} min, and ${percent(limit)} pages`;
  const arms = `the new version failed ${percent(nc > 0 ? ec / nc : null)} of ${count(nc)}, the old one ${percent(nb > 0 ? eb / nb : null)} of ${count(nb)}`;
  return {
    caused,
    reason: caused ? `${lane}; ${arms}` : `held: ${lane}, not by the new version alone (${arms})`,
  };
}
