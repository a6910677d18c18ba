import { z } from 'zod';
import { GROUPS, type LaneRoute } from '../kernel/dataplane.ts';
import { type Digest, isDigest } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { type Lane, NAME_PATTERN } from '../kernel/ids.ts';
import { isToken } from './http/characters.ts';

const MAX_BACKENDS = 1_000;
const MAX_MATCHES = 64;
const MAX_VALUE_CHARACTERS = 1_024;
const MAX_STICKY_S = 400 * 24 * 3600;
const WEIGHT_TOLERANCE = 1e-6;

// Names and addresses only: this text goes to the resolver, never to a shell or a header.
const host = z.string().regex(/^[0-9A-Za-z.:_-]{1,255}$/, 'a host name or an address');
const token = z.string().max(128).refine(isToken, 'a token of RFC 9110');
const group = z.enum(GROUPS);
const weight = z.number().min(0).max(100);
// Printable ASCII without the characters that end a cookie or a line.
const plainValue = z
  .string()
  .max(MAX_VALUE_CHARACTERS)
  .regex(/^[\x20-\x7e]*$/, 'printable ASCII');

const match = z
  .strictObject({
    header: z.strictObject({ name: token, value: plainValue }).optional(),
    cookie: z.strictObject({ name: token, value: plainValue }).optional(),
    group,
  })
  .refine(
    (rule) => rule.header !== undefined || rule.cookie !== undefined,
    'a match names a header or a cookie',
  );

const laneRoute = z
  .strictObject({
    lane: z.string().refine((text) => {
      const parts = text.split('/');
      return parts.length === 2 && parts.every((part) => NAME_PATTERN.test(part));
    }, 'service/environment'),
    fence: z.int().min(0),
    listen: z.strictObject({ host, port: z.int().min(0).max(65_535) }),
    backends: z
      .array(
        z.strictObject({
          id: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'up to 200 printable characters'),
          group,
          digest: z.string().refine(isDigest, 'a digest'),
          host,
          port: z.int().min(1).max(65_535),
          state: z.enum(['serving', 'draining']),
        }),
      )
      .max(MAX_BACKENDS),
    weights: z.strictObject({ stable: weight, baseline: weight, canary: weight }),
    match: z.array(match).max(MAX_MATCHES),
    sticky: z.strictObject({ cookie: token, ttlS: z.int().min(1).max(MAX_STICKY_S) }).nullable(),
    mirror: z.strictObject({ group, percent: weight }).nullable(),
  })
  .refine(
    ({ weights }) => Math.abs(weights.stable + weights.baseline + weights.canary - 100) <= WEIGHT_TOLERANCE,
    'weights must sum to 100',
  )
  .refine(
    ({ backends }) => new Set(backends.map(({ id }) => id)).size === backends.length,
    'backend ids must differ',
  );

/** The route in `body`, or `invalid_input` with every place that does not fit. `lane` is what the path says. */
export function parseLaneRoute(body: unknown, lane: Lane): LaneRoute {
  const parsed = laneRoute.safeParse(body);
  if (!parsed.success) {
    throw new SlipwayError('invalid_input', 'the lane route does not fit its schema', {
      diagnostics: parsed.error.issues.map((issue) => ({
        path: issue.path.join('.'),
        message: issue.message,
      })),
    });
  }
  if (parsed.data.lane !== lane) {
    throw new SlipwayError('invalid_input', `the route is for ${parsed.data.lane}, the path says ${lane}`);
  }
  const { backends, match: rules, ...rest } = parsed.data;
  return {
    ...rest,
    lane,
    backends: backends.map((backend) => ({ ...backend, digest: backend.digest as Digest })),
    match: rules.map(({ header, cookie, group: to }) => ({
      ...(header === undefined ? {} : { header }),
      ...(cookie === undefined ? {} : { cookie }),
      group: to,
    })),
  };
}
