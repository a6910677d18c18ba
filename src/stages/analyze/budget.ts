import type { AnalysisSpec, BudgetSpec } from '../../kernel/rollout.ts';
import type { InstanceIncrement } from './counters.ts';
import type { AnalysisState, Exposure } from './state.ts';
import { count } from './words.ts';

/**
 * What the rollout has cost so far, as a share of the period's error budget (metrics.md, item 9):
 * max(0, bad_new - n_new * e_base) / ((1 - objective) * N_period). It needs no proof that the version is worse: a rollout may
 * not spend more than it was given, whatever it turns out to be.
 */

/** Requests' worth of history in the baseline's rate, as in the bets. */
const HISTORY_WEIGHT = 200;

export function noExposure(): Exposure {
  return { nc: 0, ec: 0, nb: 0, eb: 0, lane: 0 };
}

/**
 * Counts what users met. Unlike the evidence it leaves nothing out of the canary: who meets a cold cache, or the canary by a
 * header, is met by its errors all the same. Of the old version only warm instances say what it is like.
 */
export function addExposure(exposure: Exposure, increments: readonly InstanceIncrement[]): void {
  for (const one of increments) {
    exposure.lane += one.requests;
    if (one.arm === 'canary') {
      exposure.nc += one.requests;
      exposure.ec += one.errors;
    } else if (one.warm) {
      exposure.nb += one.requests;
      exposure.eb += one.errors;
    }
  }
}

export interface Cost {
  /** Share of the period's error budget, 0 or more. */
  spent: number;
  allowed: number;
  /** Bad requests that the baseline's rate does not explain. */
  excess: number;
  /** More was spent than may be, and not by a handful of requests. */
  overspent: boolean;
}

/** null without a budget, or when no traffic says how large it is. */
export function costOf(spec: AnalysisSpec, state: AnalysisState): Cost | null {
  const { budget } = spec;
  const { exposure } = state;
  if (!budget || exposure === undefined) return null;
  const requests = periodRequests(budget, exposure, (state.atMs - state.startedAtMs) / 1000);
  if (requests === 0) return null;
  const { nc, ec } = exposure;
  const excess = Math.max(0, ec - nc * baselineRate(budget, state, exposure));
  const spent = excess / ((1 - budget.objective) * requests);
  const overspent = spent > budget.share && excess >= budget.minimumBad;
  return { spent, allowed: budget.share, excess, overspent };
}

/** Requests of the whole period: by the rate before the rollout, else by the live one; never fewer than were seen. */
function periodRequests({ ratePerS, periodS }: BudgetSpec, { lane }: Exposure, seconds: number): number {
  const rate = ratePerS ?? (seconds > 0 ? lane / seconds : 0);
  return Math.max(lane, rate * periodS);
}

/** Without any request to the old version, what the objective tolerates: nothing better is known to be normal. */
function baselineRate({ objective }: BudgetSpec, state: AnalysisState, { nb, eb }: Exposure): number {
  const history = state.metrics.find(({ metric }) => metric === 'errors')?.historyRate ?? null;
  const weight = history === null ? 0 : HISTORY_WEIGHT;
  return nb + weight === 0 ? 1 - objective : (weight * (history ?? 0) + eb) / (weight + nb);
}

/** `spent 1.2 % of the error budget, 1 % is allowed: 62 failed requests …`. */
export function overspentReason({ spent, allowed, excess }: Cost, { exposure }: AnalysisState): string {
  const share = (value: number) => `${Number((value * 100).toPrecision(2))} %`;
  const met = exposure?.nc ?? 0;
  return `spent ${share(spent)} of the error budget, ${share(allowed)} is allowed: ${count(excess)} failed requests more than the baseline's rate explains, of ${count(met)}`;
}
