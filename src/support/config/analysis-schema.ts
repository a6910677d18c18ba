import { z } from 'zod';
import type { AnalysisSpec, BudgetSpec, RolloutStep } from '../../kernel/rollout.ts';
import { count, duration, figure, list, percent } from './fields.ts';

/** The YAML form of a strategy's analysis, and how it becomes the kernel's. Figures: analysis.md, sections A, B, F, G. */

const rho = { min: 1, max: 100 };
const delta = { min: 0, max: 0.5 };

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

const budget = z
  .strictObject({
    objective: percent('Share of all requests that must succeed; below 100%'),
    period: duration('The time the objective is for', { min: '1d', max: '365d', default: '30d' }),
    share: percent('Share of the error budget of the period that one rollout may spend'),
    minimum: count(
      'Failed requests beyond those the baseline explains, below which cost alone decides nothing',
      {
        min: 1,
        max: 1_000_000,
        default: 5,
      },
    ),
    steps: z
      .enum(['as-written', 'from-traffic'])
      .describe(
        'from-traffic: weights and times are computed from the traffic when the rollout begins, and the steps as written are for unknown traffic',
      )
      .default('as-written'),
    harm: percent(
      'With from-traffic: the share of failing requests a bad version is reckoned with at the first step',
    ).optional(),
  })
  .describe(
    'What a rollout may cost: a share of the error budget; more than that is rolled back, proven or not',
  );

export const analysisSchema = z
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
    guard: z
      .boolean()
      .describe(
        'A fail must also hold with any three minutes left out, so that a short disturbance rolls nothing back; a disaster is not waited for. On by default where every step requires a pass and lasts a minute or longer',
      )
      .optional(),
    budget: budget.optional(),
  })
  .describe('The comparison of canary and baseline; without it only readiness decides');

export type AnalysisDocument = z.output<typeof analysisSchema>;

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
/** Margins of analysis.md, section B. */
const LATENCY_FAIL_RHO = { p50: 1.01, p95: 1.04, p99: 1.04 } as const;
/** A step shorter than this ends before the guard has seen a minute to leave out. */
const GUARDED_STEP_S = 60;

/** Metrics without a weight share alpha equally. */
export function resolveAnalysis(document: AnalysisDocument, steps: readonly RolloutStep[]): AnalysisSpec {
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
    guard: document.guard ?? (computesSteps(document) ? false : holdsAreSafe(steps)),
    budget: document.budget === undefined ? null : resolveBudget(document.budget),
  };
}

/** Only a step that requires a pass holds its weight while the guard waits. */
export function holdsAreSafe(steps: readonly RolloutStep[]): boolean {
  return steps.length > 0 && steps.every((step) => step.requirePass && step.minimumS >= GUARDED_STEP_S);
}

export function computesSteps({ budget: document }: AnalysisDocument): boolean {
  return document?.steps === 'from-traffic';
}

function resolveBudget(document: NonNullable<AnalysisDocument['budget']>): BudgetSpec {
  const { objective, period, share, minimum, steps, harm } = document;
  return {
    objective: exact(objective / 100),
    periodS: period / 1000,
    share: exact(share / 100),
    minimumBad: minimum,
    ramp: steps === 'from-traffic' ? { harm: exact((harm ?? 100) / 100) } : null,
    ratePerS: null,
  };
}

/** 99.9 % is 0.999, not 0.9990000000000001. */
function exact(value: number): number {
  return Number(value.toPrecision(12));
}
