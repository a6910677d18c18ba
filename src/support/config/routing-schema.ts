import { z } from 'zod';
import type { RouteMatch } from '../../kernel/dataplane.ts';
import { ROUTED_BY_WEIGHT, type RoutingSpec } from '../../kernel/rollout.ts';
import { duration, list } from './fields.ts';

/** The YAML form of a strategy's routing, and how it becomes what the router is told. Its bounds are within the router's. */

const MAX_MATCHES = 16;
const MAX_VALUE = 256;

const token = (description: string) =>
  z
    .string()
    .max(128)
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'expected a name of letters, digits and "-" or "_"' })
    .describe(description);

const pair = (what: string, value: z.ZodString) =>
  z.strictObject({
    name: token(`Name of the ${what}`),
    value: value.describe(`The ${what} must have exactly this value`),
  });

// Spaces at either end are no part of a header's value on the wire, so such a value could never match.
const headerValue = z
  .string()
  .max(MAX_VALUE)
  .regex(/^[!-~](?:[ -~]*[!-~])?$/, {
    error: 'expected printable ASCII without spaces at its ends',
  });
const cookieValue = z
  .string()
  .max(MAX_VALUE)
  .regex(/^[!#-+\--:<-[\]-~]+$/, {
    error: 'expected a cookie value: printable ASCII without spaces, quotes, "," ";" and "\\"',
  });

const match = z
  .strictObject({
    header: pair('header', headerValue)
      .describe('A request header, such as { name: x-canary, value: always }')
      .optional(),
    cookie: pair('cookie', cookieValue)
      .describe('A cookie, such as { name: canary, value: always }')
      .optional(),
  })
  .describe(
    'Requests that go to the new version whatever its weight; with header and cookie, both must match',
  );

export const routingSchema = z
  .strictObject({
    match: list(
      'Requests for the new version whatever its weight, while its steps last',
      match,
      MAX_MATCHES,
    ).default([]),
    sticky: z
      .strictObject({
        cookie: token('Name of the cookie that keeps a visitor with one version'),
        ttl: duration('How long the visitor stays there', { min: '1s', max: '30d', default: '1h' }),
      })
      .describe('Keeps each visitor with the version met first, as long as that version has a weight')
      .optional(),
  })
  .describe(
    'Who meets the new version beside its weight; anyone can send a header, so it is a way in, not a protection',
  );

export type RoutingDocument = z.output<typeof routingSchema>;

export function resolveRouting(document: RoutingDocument | undefined): RoutingSpec {
  if (document === undefined) return ROUTED_BY_WEIGHT;
  const { match: rules, sticky } = document;
  return {
    match: rules.map(
      ({ header, cookie }): RouteMatch => ({
        ...(header === undefined ? {} : { header }),
        ...(cookie === undefined ? {} : { cookie }),
        group: 'canary',
      }),
    ),
    sticky: sticky === undefined ? null : { cookie: sticky.cookie, ttlS: Math.round(sticky.ttl / 1000) },
  };
}
