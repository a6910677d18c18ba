import type { Figure } from './figures.ts';
import { argo, flagger, type Judge, kayenta, lindonMalek } from './peers.ts';
import { slipway } from './slipway.ts';
import { type Scenario, world } from './world.ts';

export const JUDGES: Readonly<Record<string, Judge>> = {
  Slipway: slipway,
  'Kayenta once': kayenta(false),
  'Kayenta each minute': kayenta(true),
  'Argo Rollouts': argo,
  Flagger: flagger,
  'Lindon-Malek': lindonMalek,
};

export interface Measured {
  /** Share of runs rolled back. */
  rolledBack: number;
  /** Median seconds to the rollback; null when fewer than half were rolled back. */
  medianS: number | null;
}

/** Runs one judge on `runs` worlds. The same seeds for every judge: all of them see the same traffic. */
export function measure(judge: Judge, scenario: Scenario, runs: number, seed: number): Measured {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const at = judge(scenario, world(scenario, seed + run));
    if (at !== null) times.push(at);
  }
  times.sort((a, b) => a - b);
  return { rolledBack: times.length / runs, medianS: times[Math.ceil(runs / 2) - 1] ?? null };
}

/**
 * Whether a figure keeps its bound. Below 1,000 runs the bound is widened by what chance alone does (2.6 standard errors of a
 * share; a fifth of a median), so that a quick run fails for a reason.
 */
export function within({ falseAlarms, medianS }: Figure, measured: Measured, runs: number): boolean {
  const exact = runs >= 1000;
  if (falseAlarms !== undefined) {
    const slack = exact ? 0 : 2.6 * Math.sqrt((falseAlarms * (1 - falseAlarms)) / runs);
    if (measured.rolledBack > falseAlarms + slack) return false;
  }
  if (medianS === undefined) return true;
  return measured.medianS !== null && measured.medianS <= medianS * (exact ? 1 : 1.2);
}
