import { z } from 'zod';
import type { InstanceSpec } from '../kernel/dataplane.ts';
import { isDigest } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { type Lane, NAME_PATTERN } from '../kernel/ids.ts';
import { LIMITS } from './limits.ts';

/** An id names files; it cannot climb or hide. */
export const INSTANCE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const HOUR_MS = 3_600_000;

export function isLane(text: string): text is Lane {
  const parts = text.split('/');
  return parts.length === 2 && parts.every((part) => NAME_PATTERN.test(part));
}

export const fenceSchema = z.int().min(0);

const envSchema = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/),
    z.string().refine((value) => !value.includes('\0'), 'holds a NUL'),
  )
  .refine(
    (env) => Object.keys(env).length <= LIMITS.envVariables,
    `more than ${LIMITS.envVariables} variables`,
  )
  .refine(
    (env) =>
      Object.entries(env).reduce(
        (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
        0,
      ) <= LIMITS.envBytes,
    `more than ${LIMITS.envBytes} bytes`,
  );

const specSchema = z.strictObject({
  id: z.string().regex(INSTANCE_ID),
  lane: z.string().refine(isLane, 'is not service/environment'),
  fence: fenceSchema,
  digest: z.string().refine(isDigest, 'is not a digest'),
  repository: z
    .string()
    .max(255)
    .regex(/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/),
  env: envSchema,
  readiness: z.strictObject({
    path: z
      .string()
      .max(1_024)
      .regex(/^\/[\x21-\x7e]*$/),
    periodMs: z.int().min(20).max(HOUR_MS),
    timeoutMs: z.int().min(10).max(60_000),
    failureThreshold: z.int().min(1).max(1_000),
  }),
  startTimeoutMs: z.int().min(100).max(HOUR_MS),
  stopGraceMs: z.int().min(0).max(HOUR_MS),
  resources: z.strictObject({
    memoryBytes: z
      .int()
      .min(1024 ** 2)
      .nullable(),
    openFiles: z.int().min(16).max(1_048_576).nullable(),
  }),
});

/** Throws `invalid_input` naming each member that does not fit. */
export function parseSpec(value: unknown): InstanceSpec {
  const result = specSchema.safeParse(value);
  if (result.success) return result.data;
  throw new SlipwayError('invalid_input', 'The instance spec does not fit', {
    diagnostics: result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
    hint: result.error.issues
      .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
      .join('; ')
      .slice(0, 1_000),
  });
}
