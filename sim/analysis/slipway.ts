import type { AnalysisSpec } from '../../src/kernel/rollout.ts';
import { guardAllows, rollGuard } from '../../src/stages/analyze/guard.ts';
import {
  lookMetric,
  metricConfigs,
  newMetric,
  standing,
  startMetricSlot,
} from '../../src/stages/analyze/metric.ts';
import type { MetricConfig, MetricState } from '../../src/stages/analyze/state.ts';
import {
  addToWindow,
  enoughMinutes,
  learnDispersion,
  MINUTE_MS,
  rollWindow,
  TEN_SECONDS_MS,
} from '../../src/stages/analyze/windows.ts';
import type { Scenario, World } from './world.ts';

/** The product's own judge, driven look by look: the same functions the worker runs. */

const LATENCY = {
  'latency-p50': { quantile: 0.5, failRho: 1.01 },
  'latency-p95': { quantile: 0.95, failRho: 1.04 },
  'latency-p99': { quantile: 0.99, failRho: 1.04 },
} as const;

export function specOf(scenario: Pick<Scenario, 'metric' | 'alpha'>): AnalysisSpec {
  const { metric, alpha } = scenario;
  return {
    alpha,
    errors:
      metric === 'errors'
        ? { weight: 1, failRho: 1.1, failDelta: 1e-4, passRho: 1.5, passDelta: 5e-4 }
        : null,
    latency: metric === 'errors' ? [] : [{ ...LATENCY[metric], weight: 1, passRho: 1.25, passDelta: 0.005 }],
    warmupS: 0,
    staleS: 15,
  };
}

/** Seconds until FAIL; null when the rollout ends without. */
export function slipway(scenario: Scenario, { history, looks }: World): number | null {
  const config = metricConfigs(specOf(scenario))[0] as MetricConfig;
  const state = newMetric(config, 0, scenario.guard);
  begin(config, state, scenario, history);
  let slotAtS = 0;
  let weight: number | null = null;
  for (const look of looks) {
    const minutePassed = look.atS - slotAtS >= 60;
    if (minutePassed || (weight !== null && weight !== look.weight)) {
      startMetricSlot(config, state);
      slotAtS = look.atS;
      if (minutePassed && state.guard) rollGuard(state.guard);
    }
    weight = look.weight;
    const sum = (arm: readonly { n: number; e: number }[]) =>
      arm.reduce((all, one) => ({ n: all.n + one.n, e: all.e + one.e }), { n: 0, e: 0 });
    lookMetric(config, state, sum(look.canary), sum(look.control));
    watch(config, state, look.control, look.atS * 1000);
    const { fail } = standing(config, state, look.canary.length, look.control.length);
    if (fail.crossed && (state.guard === null || guardAllows(config, state.guard, fail.threshold)))
      return look.atS;
  }
  return null;
}

function begin(
  config: MetricConfig,
  state: MetricState,
  scenario: Scenario,
  history: World['history'],
): void {
  if (config.quantile !== null) state.edge = 0;
  if (scenario.history === 0) {
    if (config.quantile !== null) state.historyRate = scenario.rate;
    return;
  }
  history.forEach(({ n, e }, i) => {
    state.minutes.instances[`instance-${i}`] = { n, e };
  });
  state.minutes.length = scenario.history;
  state.dispersion = learnDispersion(state.minutes, state.tens, config.sigma0);
  const sum = (pick: 'n' | 'e') =>
    history.reduce((all, one) => all + one[pick].reduce((a, b) => a + b, 0), 0);
  state.historyRate = sum('e') / sum('n');
}

function watch(
  config: MetricConfig,
  state: MetricState,
  control: readonly { n: number; e: number }[],
  atMs: number,
): void {
  control.forEach(({ n, e }, i) => {
    addToWindow(state.minutes, `instance-${i}`, n, e);
    if (state.tens) addToWindow(state.tens, `instance-${i}`, n, e);
  });
  const minute = rollWindow(state.minutes, atMs, MINUTE_MS);
  const ten = state.tens ? rollWindow(state.tens, atMs, TEN_SECONDS_MS) : false;
  if (enoughMinutes(state.minutes)) state.tens = null;
  if (minute || ten) state.dispersion = learnDispersion(state.minutes, state.tens, config.sigma0);
}
