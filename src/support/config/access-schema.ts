import { z } from 'zod';
import type { AccessConfig } from '../../kernel/config.ts';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import { VERBS } from '../../platform/http/route.ts';
import { BUILTIN_ROLES } from './builtin-roles.ts';
import { header, list, name } from './fields.ts';

/** The YAML form of access as code: roles are sets of verbs, grants give a subject a role somewhere. */

const scope = (what: string) =>
  list(
    `Names of the ${what} the grant covers; "*" for every one`,
    z
      .string()
      .regex(new RegExp(`^\\*$|${NAME_PATTERN.source}`), {
        error: `expected the name of one of the ${what}, or "*"`,
      })
      .describe('A name, or "*"'),
  ).min(1, { error: 'expected at least one name, or "*"' });

const grant = z
  .strictObject({
    subject: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}$/, {
        error: 'expected a subject such as token:alice',
      })
      .describe('Who gets the role, as the ledger names them: token:<name>'),
    role: name('Name of the role'),
    services: scope('services'),
    environments: scope('environments'),
  })
  .describe('One grant');

export const accessSchema = z
  .strictObject({
    ...header('Access'),
    roles: z
      .record(
        z.string().regex(NAME_PATTERN, { error: 'expected the name of a role' }),
        list('What the role may do', z.enum(VERBS).describe(`One of ${VERBS.join(', ')}`), VERBS.length),
      )
      .describe('Roles by name, each a list of verbs; the built-in ones need not be repeated')
      .default({}),
    grants: list('Who has which role where', grant, 5000).default([]),
  })
  .describe('Access as code: who may do what to which service in which environment');

export type AccessDocument = z.output<typeof accessSchema>;

/** Several Access documents add up; the builtin roles lie below them. */
export function resolveAccess(documents: readonly AccessDocument[]): AccessConfig {
  return {
    roles: Object.assign({}, BUILTIN_ROLES, ...documents.map((document) => document.roles)),
    grants: documents.flatMap((document) => document.grants),
  } satisfies AccessConfig;
}
