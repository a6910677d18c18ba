import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { readEvidence } from './store.ts';

const verdict = z.enum(['pass', 'fail', 'inconclusive', 'no-data']);
const boundary = z.object({
  logE: z.number().describe('Evidence: natural logarithm of the e-value.'),
  threshold: z.number().describe('Where it decides.'),
});
const arm = z.object({ requests: z.number(), bad: z.number(), rate: z.number().nullable() });
const rates = z.object({
  rps: z.number(),
  errorRate: z.number().nullable(),
  p50S: z.number().nullable(),
  p95S: z.number().nullable(),
  p99S: z.number().nullable(),
});
const metric = z.object({
  metric: z.enum(['errors', 'latency-p50', 'latency-p95', 'latency-p99']),
  verdict,
  fail: boundary,
  pass: boundary,
  canary: arm,
  baseline: arm,
  edgeS: z
    .number()
    .nullable()
    .describe('Latency above which a request counts as bad, in seconds; null for errors.'),
  guarded: z
    .enum(['transient', 'stall'])
    .optional()
    .describe(
      'A fail that is held back until it outlives any three minutes (transient) or six seconds (stall).',
    ),
  remaining: z
    .object({ toward: z.enum(['pass', 'fail']), requests: z.number(), seconds: z.number().nullable() })
    .nullable()
    .describe('What is still needed at the rates seen; null when there is no telling.'),
});
const point = z.object({
  atMs: z.number(),
  canaryWeight: z.number(),
  verdict,
  metrics: z.array(metric),
  budget: z
    .object({ spent: z.number(), allowed: z.number() })
    .optional()
    .describe("What the rollout has cost and may cost, as shares of the period's error budget."),
  rates: z.object({ canary: rates, baseline: rates }),
});
const spec = z.object({
  alpha: z.number(),
  errors: z
    .object({
      weight: z.number(),
      failRho: z.number(),
      failDelta: z.number(),
      passRho: z.number(),
      passDelta: z.number(),
    })
    .nullable(),
  latency: z.array(
    z.object({
      quantile: z.union([z.literal(0.5), z.literal(0.95), z.literal(0.99)]),
      weight: z.number(),
      failRho: z.number(),
      passRho: z.number(),
      passDelta: z.number(),
    }),
  ),
  warmupS: z.number(),
  staleS: z.number(),
  guard: z.boolean().optional().describe('Whether the transient guard may hold a fail back.'),
  budget: z
    .object({
      objective: z.number(),
      periodS: z.number(),
      share: z.number(),
      minimumBad: z.number(),
      ramp: z.object({ harm: z.number() }).nullable(),
      ratePerS: z.number().nullable(),
    })
    .nullable()
    .optional()
    .describe(
      'The share of the error budget the rollout may spend; the ramp is null when its steps are as written.',
    ),
});

export const evidenceSeries = z.object({
  spec: spec.nullable().describe('null when the rollout is not analysed.'),
  verdict,
  reason: z.string(),
  updatedAtMs: z.number().nullable(),
  points: z.array(z.object({ n: z.number().int(), point })),
});

export function analyzeRoutes(deps: { database: Database }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/rollouts/:rollout/evidence',
      operationId: 'getRolloutEvidence',
      summary: 'The evidence of a canary against its baseline, look by look',
      tag: 'rollouts',
      access: { verb: 'read' },
      params: z.object({ rollout: z.string().max(64) }),
      query: z.object({
        after: z.coerce
          .number()
          .int()
          .min(-1)
          .max(2_147_483_647)
          .default(-1)
          .describe('Only points numbered above this.'),
      }),
      response: evidenceSeries,
      async handle(_context, { params, query }) {
        const series = await readEvidence(deps.database, params.rollout, query.after);
        if (series === null) {
          throw new SlipwayError('not_found', `There is no rollout ${params.rollout}`, {
            hint: 'slipway status lists the rollouts under way.',
          });
        }
        return { ...series, points: [...series.points] } as z.infer<typeof evidenceSeries>;
      },
    }),
  ];
}
