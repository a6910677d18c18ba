import { z } from 'zod';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import {
  BYTES_PATTERN,
  DURATION_PATTERN,
  formatDuration,
  PERCENT_PATTERN,
  parseBytes,
  parseDuration,
  parsePercent,
} from './units.ts';

/**
 * The building blocks of the configuration schemas. Each carries a description (editors show it, errors quote it) and
 * keeps its JSON Schema exact: a human unit is a string with a pattern, and becomes a number only after validation.
 */

export const API_VERSION = 'slipway.dev/v1';

/** Most entries a list or mapping may have where nothing smaller is stated. */
export const MAX_ENTRIES = 200;
const MAX_TEXT = 16_384;

export function header(kind: string) {
  return {
    apiVersion: z.literal(API_VERSION).describe(`The version of the configuration format: ${API_VERSION}`),
    kind: z.literal(kind).describe(`What this document describes: ${kind}`),
  };
}

export function name(description: string) {
  return z
    .string()
    .regex(NAME_PATTERN, {
      error: 'expected a name of lower-case letters, digits and "-" (RFC 1123, at most 63 characters)',
    })
    .describe(description);
}

export function text(description: string, maxLength = MAX_TEXT) {
  return z
    .string()
    .max(maxLength, { error: `expected at most ${maxLength} characters` })
    .describe(description);
}

export function filledText(description: string, maxLength = MAX_TEXT) {
  return text(description, maxLength).regex(/\S/, { error: 'expected a text that is not empty' });
}

export function flag(description: string, value: boolean) {
  return z.boolean().describe(description).default(value);
}

export function count(description: string, range: { min: number; max: number; default: number }) {
  const expected = { error: `expected a whole number from ${range.min} to ${range.max}` };
  return z
    .int(expected)
    .min(range.min, expected)
    .max(range.max, expected)
    .describe(description)
    .default(range.default);
}

export function figure(description: string, range: { min: number; max: number }) {
  const expected = { error: `expected a number from ${range.min} to ${range.max}` };
  return z.number(expected).min(range.min, expected).max(range.max, expected).describe(description);
}

/** In the YAML a duration such as `30s`; after parsing, milliseconds. */
export function duration(description: string, range: { min: string; max: string; default: string }) {
  const min = parseDuration(range.min) ?? 0;
  const max = parseDuration(range.max) ?? Number.POSITIVE_INFINITY;
  return z
    .string()
    .regex(DURATION_PATTERN, { error: 'expected a duration such as 30s, 5m or 1h30m' })
    .describe(`${description} (a duration such as 30s or 5m)`)
    .default(range.default)
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== null && ms >= min && ms <= max) return ms;
      const message =
        ms === null
          ? 'expected each unit once, the largest first, such as 1h30m'
          : `expected a duration from ${formatDuration(min)} to ${formatDuration(max)}`;
      context.addIssue({ code: 'custom', message, input: value });
      return z.NEVER;
    });
}

/** In the YAML a size such as `256Mi`; after parsing, bytes. */
export function bytes(description: string, range: { min: string; max: string }) {
  const min = parseBytes(range.min) ?? 0;
  const max = parseBytes(range.max) ?? Number.POSITIVE_INFINITY;
  return z
    .string()
    .regex(BYTES_PATTERN, { error: 'expected a size such as 256Mi, 1Gi or 500M' })
    .describe(`${description} (a size such as 256Mi)`)
    .transform((value, context) => {
      const size = parseBytes(value);
      if (size !== null && size >= min && size <= max) return size;
      context.addIssue({
        code: 'custom',
        message: `expected a size from ${range.min} to ${range.max}`,
        input: value,
      });
      return z.NEVER;
    });
}

/** In the YAML a percentage such as `10%`; after parsing, 10. */
export function percent(description: string) {
  return z
    .string()
    .regex(PERCENT_PATTERN, { error: 'expected a percentage from 0% to 100%, such as 10%' })
    .describe(`${description} (a percentage such as 10%)`)
    .transform((value) => parsePercent(value) ?? 0);
}

const RELATIVE = /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\\\0\r\n]+$/;

/** Below the source root; can never leave it. */
export function relativePath(description: string) {
  return z
    .string()
    .max(1024)
    .regex(RELATIVE, { error: 'expected a path below the source root, without a leading "/", ".." or "\\"' })
    .describe(description);
}

export function absolutePath(description: string) {
  return z
    .string()
    .max(1024)
    .regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\\\0\r\n]*$/, {
      error: 'expected an absolute path such as /app, without ".."',
    })
    .describe(description);
}

export function list<Item extends z.ZodType>(description: string, item: Item, max = MAX_ENTRIES) {
  return z
    .array(item)
    .max(max, { error: `expected at most ${max} entries` })
    .describe(description);
}

/** `PORT` and `SLIPWAY_*` belong to Slipway: a value here would fight the one each instance is given. */
export function environmentVariables(description: string) {
  return z
    .record(
      z.string().regex(/^(?!PORT$)(?!SLIPWAY_)[A-Za-z_][A-Za-z0-9_]{0,254}$/, {
        error: 'expected a variable name of letters, digits and "_"; PORT and SLIPWAY_* are set by Slipway',
      }),
      z.string().max(MAX_TEXT),
    )
    .refine((value) => Object.keys(value).length <= MAX_ENTRIES, {
      error: `expected at most ${MAX_ENTRIES} variables`,
    })
    .describe(description)
    .default({});
}

/** A mapping from environment names. */
export function byEnvironment<Value extends z.ZodType>(description: string, value: Value) {
  return z
    .record(
      z.string().regex(NAME_PATTERN, { error: 'expected the name of an environment, or "default"' }),
      value,
    )
    .refine((entries) => Object.keys(entries).length <= MAX_ENTRIES, {
      error: `expected at most ${MAX_ENTRIES} entries`,
    })
    .describe(description);
}
