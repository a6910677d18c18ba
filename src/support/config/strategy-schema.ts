import { z } from 'zod';
import type { StrategyConfig } from '../../kernel/config.ts';
import type { AnalysisSpec } from '../../kernel/rollout.ts';
import { count, duration, figure, flag, header, list, name, percent } from './fields.ts';

/** The YAML form of a strategy, and how it becomes the kernel's `StrategyConfig`. Figures: analysis.md, sections A, B, F. */

const rho = { min: 1, max: 100 };
const delta = { min: 0, max: 0.5 };

const step = z
  .strictObject({
    weight: percent('Share of the traffic for the new version'),
    for: duration('Least time the step lasts', { min: '0s', max: '30d', default: '0s' }),
    require: z
      .enum(['pass', 'no-fail'])
      .describe('pass: wait until the analysis passes; no-fail: only a failed analysis stops the step')
      .default('no-fail'),
    manual: flag('Wait until a person resumes the rollout', false),
    deadline: duration('A step without a decision by then is handled by "onInconclusive"', {
      min: '1s',
      max: '30d',
      default: '30m',
    }),
  })
  .describe('One step of the ramp, such as { weight: 10%, for: 5m, require: pass }');

const metricWeight = figure('Share of alpha this metric may spend; the shares sum to 1', {
  min: 0,
  max: 1,
}).optional();

const errors = z.strictObject({
  weight: metricWeight,
  failRho: figure('Fails when the error rate is above this times the baseline, plus failDelta', rho).default(
    1.1,
  ),
  failDelta: figure('Error rate tolerated on top, as a fraction', delta).default(1e-4),
  passRho: figure('Passes when the error rate is below this times the baseline, plus passDelta', rho).default(
    1.5,
  ),
  passDelta: figure('Error rate a pass still allows on top, as a fraction', delta).default(5e-4),
});

const latency = z
  .strictObject({
    quantile: z
      .enum(['p50', 'p95', 'p99'])
      .describe('Quantile of the baseline whose bucket edge is watched: p50, p95 or p99'),
    weight: metricWeight,
    failRho: figure('Fails when the share of slow requests is above this times the baseline', rho).optional(),
    passRho: figure(
      'Passes when the share of slow requests is below this times the baseline, plus passDelta',
      rho,
    ).default(1.5),
    passDelta: figure('Share of slow requests a pass still allows on top, as a fraction', delta).default(
      0.01,
    ),
  })
  .describe('One latency quantile that gates');

const analysis = z
  .strictObject({
    alpha: figure('Chance that a version as good as the baseline is rolled back', {
      min: 1e-6,
      max: 0.5,
    }).default(0.05),
    errors: z
      .union([z.literal(false), errors])
      .describe('How the error rates are compared; false leaves them out')
      .prefault({}),
    latency: list('Latency quantiles that gate', latency, 3).default([]),
    warmup: duration('Traffic to a fresh instance that is left out', {
      min: '0s',
      max: '1h',
      default: '10s',
    }),
    stale: duration('Counters older than this are no data', { min: '1s', max: '10m', default: '15s' }),
  })
  .describe('The comparison of canary and baseline; without it only readiness decides');

export const strategySchema = z
  .strictObject({
    ...header('Strategy'),
    name: name('Name of the strategy'),
    type: z
      .enum(['canary', 'blue-green', 'rolling', 'shadow', 'all-at-once'])
      .describe('How a new version takes over: canary, blue-green, rolling, shadow or all-at-once'),
    steps: list('The ramp; after the last step the new version takes all traffic', step, 50).default([]),
    canaryInstances: count('Instances of the new version while the ramp runs', {
      min: 1,
      max: 500,
      default: 1,
    }),
    baselineInstances: count(
      'Instances of the old version started beside the canary; 0 compares with the stable ones',
      {
        min: 0,
        max: 500,
        default: 0,
      },
    ),
    progressDeadline: duration('The whole rollout must have ended by then', {
      min: '10s',
      max: '90d',
      default: '1h',
    }),
    readyDeadline: duration('New instances must be ready by then', { min: '1s', max: '6h', default: '2m' }),
    drain: duration('Time for connections to finish once a version gets no new requests', {
      min: '0s',
      max: '1h',
      default: '10s',
    }),
    onInconclusive: z
      .enum(['rollback', 'pause'])
      .describe('What happens at a deadline without a verdict: rollback or pause')
      .default('rollback'),
    analysis: analysis.optional(),
  })
  .describe('A strategy: how traffic moves to a new version and what may stop it');

export type StrategyDocument = z.output<typeof strategySchema>;

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
/** Margins of analysis.md, section B. */
const LATENCY_FAIL_RHO = { p50: 1.01, p95: 1.04, p99: 1.04 } as const;

/** Metrics without a weight share alpha equally. */
function resolveAnalysis(document: NonNullable<StrategyDocument['analysis']>): AnalysisSpec {
  const metrics = (document.errors === false ? 0 : 1) + document.latency.length;
  const equal = 1 / Math.max(1, metrics);
  return {
    alpha: document.alpha,
    errors:
      document.errors === false ? null : { ...document.errors, weight: document.errors.weight ?? equal },
    latency: document.latency.map(({ quantile, weight, failRho, ...rest }) => ({
      ...rest,
      quantile: QUANTILES[quantile],
      weight: weight ?? equal,
      failRho: failRho ?? LATENCY_FAIL_RHO[quantile],
    })),
    warmupS: document.warmup / 1000,
    staleS: document.stale / 1000,
  };
}

export function resolveStrategy(document: StrategyDocument): StrategyConfig {
  return {
    name: document.name,
    kind: document.type,
    steps: document.steps.map((item) => ({
      weight: item.weight,
      minimumS: item.for / 1000,
      requirePass: item.require === 'pass',
      manual: item.manual,
      deadlineS: item.deadline / 1000,
    })),
    canaryInstances: document.canaryInstances,
    baselineInstances: document.baselineInstances,
    progressDeadlineS: document.progressDeadline / 1000,
    readyDeadlineS: document.readyDeadline / 1000,
    drainS: document.drain / 1000,
    onInconclusive: document.onInconclusive,
    analysis: document.analysis ? resolveAnalysis(document.analysis) : null,
  } satisfies StrategyConfig;
}
