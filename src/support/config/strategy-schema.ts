import { z } from 'zod';
import type { StrategyConfig } from '../../kernel/config.ts';
import { analysisSchema, resolveAnalysis } from './analysis-schema.ts';
import { count, duration, flag, header, list, name, percent } from './fields.ts';
import { resolveRouting, routingSchema } from './routing-schema.ts';

/** The YAML form of a strategy, and how it becomes the kernel's `StrategyConfig`. */

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
    analysis: analysisSchema.optional(),
    routing: routingSchema.optional(),
  })
  .describe('A strategy: how traffic moves to a new version and what may stop it');

export type StrategyDocument = z.output<typeof strategySchema>;

export function resolveStrategy(document: StrategyDocument): StrategyConfig {
  const steps = document.steps.map((item) => ({
    weight: item.weight,
    minimumS: item.for / 1000,
    requirePass: item.require === 'pass',
    manual: item.manual,
    deadlineS: item.deadline / 1000,
  }));
  return {
    name: document.name,
    kind: document.type,
    steps,
    canaryInstances: document.canaryInstances,
    baselineInstances: document.baselineInstances,
    progressDeadlineS: document.progressDeadline / 1000,
    readyDeadlineS: document.readyDeadline / 1000,
    drainS: document.drain / 1000,
    onInconclusive: document.onInconclusive,
    analysis: document.analysis ? resolveAnalysis(document.analysis, steps) : null,
    routing: resolveRouting(document.routing),
  } satisfies StrategyConfig;
}
