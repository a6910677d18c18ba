import { z } from 'zod';
import type { EnvironmentConfig } from '../../kernel/config.ts';
import { count, duration, environmentVariables, filledText, flag, header, list, name } from './fields.ts';

/** The YAML form of an environment, and how it becomes the kernel's `EnvironmentConfig`. */

const approvals = z
  .strictObject({
    count: count('How many people must say yes', { min: 1, max: 10, default: 1 }),
    from: list(
      'Who may: names of roles, or subjects such as token:alice',
      filledText('A role or a subject', 200),
      50,
    ).min(1, {
      error: 'expected at least one role or subject',
    }),
    notAuthor: flag('The author of the commit may not approve it', true),
  })
  .describe('People who must approve each promotion; leave it out when nobody needs to');

export const environmentSchema = z
  .strictObject({
    ...header('Environment'),
    name: name('Name of the environment'),
    after: name(
      'The environment a digest must have succeeded in before; leave it out for the first one',
    ).optional(),
    production: flag('Real users are here: dangerous commands ask for the name of the environment', false),
    policies: list('Names of the policies that gate it', name('Name of a policy')).default([]),
    promotion: z
      .strictObject({
        automatic: flag('Promote by itself once policies, soak time and approvals allow it', true),
        soak: duration('How long the digest must have run healthy in "after"', {
          min: '0s',
          max: '30d',
          default: '0s',
        }),
        approvals: approvals.optional(),
        deadline: duration('A promotion that has not ended by then expires', {
          min: '1m',
          max: '90d',
          default: '1d',
        }),
      })
      .describe('When a digest may move here')
      .prefault({}),
    strategy: name('Name of the strategy rollouts here use').default('rolling'),
    target: z
      .strictObject({ kind: z.literal('process').describe('Processes on this host').default('process') })
      .describe('What instances run on')
      .prefault({}),
    listenPort: z
      .int({ error: 'expected a port from 1 to 65535' })
      .min(1)
      .max(65_535)
      .describe(
        'Router port of the one service here; leave it out and each service gets a free one, kept for ever',
      )
      .optional(),
    env: environmentVariables('Environment variables every instance here gets; values are texts'),
  })
  .describe('An environment: where services run, what gates it and how new versions take over');

export type EnvironmentDocument = z.output<typeof environmentSchema>;

export function resolveEnvironment(document: EnvironmentDocument): EnvironmentConfig {
  const { promotion } = document;
  return {
    name: document.name,
    after: document.after ?? null,
    production: document.production,
    policies: document.policies,
    promotion: {
      automatic: promotion.automatic,
      soakS: promotion.soak / 1000,
      approvals: promotion.approvals ?? null,
      deadlineS: promotion.deadline / 1000,
    },
    strategy: document.strategy,
    target: document.target,
    listenPort: document.listenPort ?? null,
    env: document.env,
  } satisfies EnvironmentConfig;
}
