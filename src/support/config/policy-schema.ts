import { z } from 'zod';
import type { PolicyConfig } from '../../kernel/config.ts';
import { filledText, header, list, name, text } from './fields.ts';

/** The YAML form of a policy: CEL over the gate's declared facts, with its own tests. */

const policyTest = z
  .strictObject({
    name: filledText('What the test shows', 200),
    facts: z.record(z.string().max(200), z.unknown()).describe('The facts the policy sees'),
    expect: z.enum(['allow', 'deny']).describe('What the policy must answer: allow or deny'),
  })
  .describe('A test of the policy; a platform whose tests fail is not applied');

export const policySchema = z
  .strictObject({
    ...header('Policy'),
    name: name('Name of the policy; environments refer to it'),
    description: text('Why the policy exists', 2000).default(''),
    severity: z
      .enum(['warn', 'block'])
      .describe('block: a false answer denies the change; warn: it passes and says what was found')
      .default('block'),
    allow: filledText('CEL expression over the facts; true lets the change pass', 8192),
    message: filledText('What to tell the person when it is false; may use {{ expression }}', 2000),
    tests: list('Tests of the policy', policyTest, 100).default([]),
  })
  .describe('A policy: what must hold before a digest may enter an environment');

export type PolicyDocument = z.output<typeof policySchema>;

export function resolvePolicy(document: PolicyDocument): PolicyConfig {
  const { name, description, severity, allow, message, tests } = document;
  return { name, description, severity, allow: allow.trim(), message, tests } satisfies PolicyConfig;
}
