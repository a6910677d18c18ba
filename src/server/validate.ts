import type { z } from 'zod';
import { SlipwayError } from '../kernel/errors.ts';

/** Parses one part of the input, or says path by path what was expected. */
export function validate(
  part: 'params' | 'query' | 'body',
  schema: z.ZodType | undefined,
  value: unknown,
): unknown {
  if (schema === undefined) return value;
  const result = schema.safeParse(value ?? (part === 'body' ? {} : value));
  if (result.success) return result.data;
  const diagnostics = result.error.issues.slice(0, 20).map((issue) => ({
    path: [part, ...issue.path.map(String)].join('.'),
    message: issue.message,
  }));
  const first = diagnostics[0];
  throw new SlipwayError(
    'invalid_input',
    first ? `${first.path}: ${first.message}` : `the ${part} does not fit its schema`,
    { diagnostics },
  );
}
