import type { AnalysisSpec } from '../../kernel/rollout.ts';
import { EProcess } from './eprocess.ts';
import { addGuardLook, newGuard } from './guard.ts';
import { betBernoulli, betClump, noiseTerm, PSI, tQuantile } from './judge.ts';
import { addStallLook, newStall } from './stall.ts';
import type { ArmLook, Margin, MetricConfig, MetricName, MetricState } from './state.ts';
import { emptyWindows, learnDispersion } from './windows.ts';

/** One metric's evidence: its two e-processes, one look at a time. */

const SLOTS = 30;
const GRIDS = { 0.5: PSI.p50, 0.95: PSI.p95, 0.99: PSI.p99 } as const;
const NAMES = { 0.5: 'latency-p50', 0.95: 'latency-p95', 0.99: 'latency-p99' } as const;
/** Requests' worth of history in the predictable baseline rate. */
const HISTORY_WEIGHT = 200;

/** The metrics of a spec. Weights are shares of alpha (weighted Bonferroni); a weight of 0 draws without deciding. */
export function metricConfigs(spec: AnalysisSpec): MetricConfig[] {
  const weights = [spec.errors?.weight ?? 0, ...spec.latency.map(({ weight }) => weight)];
  const sum = weights.reduce((total, weight) => total + Math.max(0, weight), 0);
  const config = (
    metric: MetricName,
    quantile: number | null,
    weight: number,
    psis: readonly number[],
    margins: { failRho: number; failDelta: number; passRho: number; passDelta: number },
  ): MetricConfig => ({
    metric,
    quantile,
    gating: weight > 0,
    fail: {
      alpha: spec.alpha * (weight > 0 ? weight / sum : 1),
      rho: margins.failRho,
      delta: margins.failDelta,
    },
    pass: { alpha: spec.alpha, rho: margins.passRho, delta: margins.passDelta },
    failProcess: { psis, u0: 0.8, slots: SLOTS },
    passProcess: { psis: psis.map((psi) => 1 / psi), u0: 1, slots: 1 },
    sigma0: quantile === null ? 0.1 : 0.03,
  });
  const errors = spec.errors ? [config('errors', null, spec.errors.weight, PSI.errors, spec.errors)] : [];
  const latency = spec.latency.map((one) =>
    config(NAMES[one.quantile], one.quantile, one.weight, GRIDS[one.quantile], { ...one, failDelta: 0 }),
  );
  return [...errors, ...latency];
}

export function newMetric(config: MetricConfig, atMs: number, guard: boolean): MetricState {
  const minutes = emptyWindows(atMs);
  const tens = emptyWindows(atMs);
  return {
    metric: config.metric,
    edge: null,
    historyRate: null,
    totals: { nc: 0, ec: 0, nb: 0, eb: 0 },
    fail: new EProcess(config.failProcess).toJSON(),
    pass: new EProcess(config.passProcess).toJSON(),
    dispersion: learnDispersion(minutes, tens, config.sigma0),
    minutes,
    tens,
    quantiles: { df: 0, fail: 0, pass: 0 },
    guard: guard ? newGuard(config) : null,
    ...(config.quantile === null ? {} : { stall: newStall() }),
  };
}

/** Another start time of the FAIL mixture: once a minute, or at a weight step. Before the look of that time. */
export function startMetricSlot(config: MetricConfig, state: MetricState): void {
  const fail = new EProcess(config.failProcess, state.fail);
  fail.startSlot();
  state.fail = fail.toJSON();
  if (state.guard) {
    const bypass = new EProcess(config.failProcess, state.guard.bypass);
    bypass.startSlot();
    state.guard.bypass = bypass.toJSON();
  }
}

/** Baseline rate from earlier looks only: the bets must not know the look they bet on. */
export function baselineRate(state: MetricState): number {
  const { nb, eb } = state.totals;
  if (state.historyRate === null) return nb === 0 ? 0 : eb / nb;
  return (HISTORY_WEIGHT * state.historyRate + eb) / (HISTORY_WEIGHT + nb);
}

/** The bet of one direction at this moment, as `EProcess.look` wants it. */
export function betOf(config: MetricConfig, state: MetricState, margin: Pick<Margin, 'rho' | 'delta'>) {
  const { g, phi } = state.dispersion;
  const { rho, delta } = margin;
  if (config.quantile === null) {
    return (nc: number, ec: number, nb: number, eb: number, psi: number) =>
      betClump(nc, ec, nb, eb, { rho, delta, g, psi });
  }
  const pb = baselineRate(state);
  return (nc: number, ec: number, nb: number, eb: number, psi: number) =>
    betBernoulli(nc, ec, nb, eb, { rho, delta, pb, phi, psi });
}

/** Takes the counts of one look, at `atMs` of the router's clock. Dispersion and baseline rate are those of earlier looks. */
export function lookMetric(
  config: MetricConfig,
  state: MetricState,
  canary: ArmLook,
  control: ArmLook,
  atMs?: number,
): void {
  const fail = new EProcess(config.failProcess, state.fail);
  const pass = new EProcess(config.passProcess, state.pass);
  const failBet = betOf(config, state, config.fail);
  const guarded = state.guard ? addGuardLook(config, state, failBet, canary, control) : failBet;
  const watched =
    state.stall && atMs !== undefined
      ? addStallLook(state.stall, config.failProcess.psis.length, atMs, guarded)
      : guarded;
  fail.look(canary.n, canary.e, control.n, control.e, watched);
  pass.look(canary.n, canary.e, control.n, control.e, betOf(config, state, config.pass));
  state.fail = fail.toJSON();
  state.pass = pass.toJSON();
  state.totals.nc += canary.n;
  state.totals.ec += canary.e;
  state.totals.nb += control.n;
  state.totals.eb += control.e;
}

export interface Standing {
  logE: number;
  threshold: number;
  /** What the threshold grows by with each further canary request. */
  slope: number;
  crossed: boolean;
}

/** Evidence against its boundary, in both directions; `mc`, `mb`: instances with traffic in each arm. */
export function standing(
  config: MetricConfig,
  state: MetricState,
  mc: number,
  mb: number,
): { fail: Standing; pass: Standing } {
  const { sigma2, phi, instances } = state.dispersion;
  const df = Math.max(mb, instances) + 3;
  if (state.quantiles.df !== df) {
    state.quantiles = {
      df,
      fail: tQuantile(1 - config.fail.alpha / 2, df),
      pass: tQuantile(1 - config.pass.alpha / 2, df),
    };
  }
  const { nc } = state.totals;
  const pb = baselineRate(state);
  const one = (margin: Margin, process: EProcess, t: number): Standing => {
    const p = config.quantile === null ? 0 : Math.min(pb, 0.99);
    const perRequest = noiseTerm(
      { sigma2, muC: (margin.rho * pb + margin.delta) / mc, phiW: phi, mc, mb, p },
      t,
    );
    const logE = process.logE();
    const T = Math.log(1 / margin.alpha) + perRequest * nc;
    return { logE, threshold: T, slope: perRequest, crossed: logE >= T };
  };
  return {
    fail: one(config.fail, new EProcess(config.failProcess, state.fail), state.quantiles.fail),
    pass: one(config.pass, new EProcess(config.passProcess, state.pass), state.quantiles.pass),
  };
}
