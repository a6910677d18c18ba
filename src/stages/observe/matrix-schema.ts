import { z } from 'zod';

const group = z.object({
  rps: z.number(),
  errorRate: z.number().nullable(),
  p50S: z.number().nullable(),
  p95S: z.number().nullable(),
  p99S: z.number().nullable(),
  digest: z.string().nullable(),
});

export const laneSampleSchema = z.object({
  groups: z.object({ stable: group.optional(), baseline: group.optional(), canary: group.optional() }),
  weights: z.object({ stable: z.number(), baseline: z.number(), canary: z.number() }).nullable(),
  instances: z.object({ ready: z.number(), total: z.number() }),
  unrouted: z.number(),
});

export const cell = z.object({
  service: z.string(),
  environment: z.string(),
  /** What runs when nothing moves; null when nothing ever took over. */
  current: z
    .object({
      digest: z.string(),
      releaseId: z.string().nullable(),
      releaseNumber: z.number().nullable(),
      commit: z.string().nullable(),
      message: z.string().nullable(),
      rolloutId: z.string().nullable(),
      since: z.string(),
    })
    .nullable(),
  url: z.string().nullable(),
  sample: laneSampleSchema.extend({ at: z.string() }).nullable(),
  health: z.enum(['healthy', 'degraded', 'down', 'no-data', 'empty']),
  healthReason: z.string(),
  moving: z
    .object({
      rolloutId: z.string(),
      digest: z.string(),
      releaseNumber: z.number().nullable(),
      phase: z.string(),
      weight: z.number(),
      verdict: z.string().nullable(),
      reason: z.string(),
      paused: z.boolean(),
      since: z.string(),
    })
    .nullable(),
  waiting: z.array(
    z.object({
      promotionId: z.string(),
      status: z.string(),
      reason: z.string(),
      releaseNumber: z.number().nullable(),
      since: z.string(),
    }),
  ),
  last: z
    .object({
      rolloutId: z.string(),
      outcome: z.string(),
      reason: z.string(),
      releaseNumber: z.number().nullable(),
      at: z.string(),
    })
    .nullable(),
});

export const matrixSchema = z.object({
  at: z.string(),
  environments: z.array(
    z.object({ name: z.string(), after: z.string().nullable(), production: z.boolean() }),
  ),
  services: z.array(
    z.object({
      name: z.string(),
      repositoryUrl: z.string(),
      branch: z.string(),
      pollProblem: z.string().nullable(),
      /** The newest release, whatever became of it. */
      latest: z
        .object({
          id: z.string(),
          number: z.number(),
          status: z.string(),
          commit: z.string(),
          message: z.string(),
          problem: z.string().nullable(),
          createdAt: z.string(),
        })
        .nullable(),
      cells: z.array(cell),
    }),
  ),
});

export type Cell = z.infer<typeof cell>;
