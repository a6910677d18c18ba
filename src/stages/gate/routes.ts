import { z } from 'zod';
import type { PlatformConfig, PolicyConfig } from '../../kernel/config.ts';
import type { PolicyResult } from '../../kernel/decision.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { policySchema } from '../../support/config/policy-schema.ts';
import { DRY_RUN_LIMIT, dryRun } from './dry-run.ts';
import { testPolicies } from './judge.ts';
import { compilePolicy, policyHash } from './plan.ts';
import { listDecisions, readDecision } from './store.ts';

export interface GateRouteDeps {
  database: Database;
  platform(): Promise<PlatformConfig>;
}

const READ = { verb: 'read' } as const;
const PAGE_LIMIT = 200;
const POLICIES_LIMIT = 100;
/** Worst-case steps one request may ask for; a step is about a microsecond. */
const MAX_WORK = 5_000_000;

const name = z.string().min(1).max(63);
const digest = z.string().regex(/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/);
const outcome = z.enum(['allow', 'warn', 'deny']);
const resultSchema = z.object({
  policy: z.string(),
  severity: z.enum(['warn', 'block']),
  outcome,
  reason: z.string().describe('A sentence for the person who has to act.'),
  missing: z.array(z.string()).describe('Facts the policy needed and did not get.'),
});
const decisionSchema = z.object({
  id: z.string(),
  service: z.string(),
  environment: z.string(),
  digest: z.string(),
  promotionId: z.string().nullable(),
  outcome,
  policyHash: z.string().describe('sha256 over the policies that were evaluated.'),
  results: z.array(resultSchema),
  inputs: z.record(z.string(), z.unknown()).describe('The facts as they were.'),
  inputsHash: z.string().describe('sha256 over the canonical JSON of the inputs.'),
  atMs: z.number(),
});
const diagnosticSchema = z.object({
  path: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  position: z.object({ file: z.string(), line: z.number(), column: z.number() }).optional(),
});
const policyBody = policySchema.omit({ apiVersion: true, kind: true });
const policies = z.array(policyBody).min(1).max(POLICIES_LIMIT);

export function gateRoutes(deps: GateRouteDeps): Route[] {
  return [...decisionRoutes(deps), policiesRoute(deps), testRoute(deps), dryRunRoute(deps)];
}

function decisionRoutes({ database }: GateRouteDeps): Route[] {
  const query = z.object({
    service: name.optional(),
    environment: name.optional(),
    digest: digest.optional(),
    before: z.string().max(40).optional().describe('Id of the last decision of the page before.'),
    limit: z.coerce.number().int().min(1).max(PAGE_LIMIT).default(50),
  });
  return [
    route({
      method: 'GET',
      path: '/v1/decisions',
      operationId: 'listDecisions',
      summary: 'Decisions of the gate, newest first',
      tag: 'gate',
      access: READ,
      query,
      response: z.object({ decisions: z.array(decisionSchema) }),
      async handle(_, input) {
        const decisions = await listDecisions(database, input.query);
        return { decisions: decisions.map(shown) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/decisions/:decision',
      operationId: 'getDecision',
      summary: 'One decision with its inputs and reasons',
      tag: 'gate',
      access: READ,
      params: z.object({ decision: z.string().max(40) }),
      response: decisionSchema,
      async handle(_, { params }) {
        const decision = await readDecision(database, params.decision);
        if (decision === null) throw new SlipwayError('not_found', 'there is no such decision');
        return shown(decision);
      },
    }),
  ];
}

function policiesRoute({ platform }: GateRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/policies',
    operationId: 'listPolicies',
    summary: 'The policies in force, and which environment they gate',
    tag: 'gate',
    access: READ,
    response: z.object({
      policies: z.array(policyBody.extend({ environments: z.array(z.string()) })),
      problems: z.array(diagnosticSchema),
    }),
    async handle() {
      const { policies: all, environments } = await platform();
      const gatedBy = (policy: string) =>
        environments.filter((one) => one.policies.includes(policy)).map((one) => one.name);
      return {
        policies: all.map((policy) => ({ ...clone(policy), environments: gatedBy(policy.name) })),
        problems: testPolicies(all),
      };
    },
  });
}

function testRoute({ platform }: GateRouteDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/policies/test',
    operationId: 'testPolicies',
    summary: 'Loads policies and runs the tests inside them; without policies, those in force',
    tag: 'gate',
    access: READ,
    body: z.object({ policies: policies.optional() }),
    response: z.object({
      ok: z.boolean(),
      policyHash: z.string(),
      tests: z.number(),
      problems: z.array(diagnosticSchema),
    }),
    async handle(_, { body }) {
      const tested: readonly PolicyConfig[] = body.policies ?? (await platform()).policies;
      expectWork(tested.map((policy) => workOf(policy) * policy.tests.length));
      const problems = testPolicies(tested);
      const tests = tested.reduce((sum, policy) => sum + policy.tests.length, 0);
      return { ok: problems.length === 0, policyHash: policyHash(tested), tests, problems };
    },
  });
}

function dryRunRoute({ database }: GateRouteDeps): Route {
  const change = z.object({
    decision: z.string(),
    service: z.string(),
    environment: z.string(),
    digest: z.string(),
    atMs: z.number(),
    was: outcome,
    wouldBe: outcome,
    results: z.array(resultSchema),
  });
  return route({
    method: 'POST',
    path: '/v1/policies/dry-run',
    operationId: 'dryRunPolicies',
    summary: 'Judges past decisions again under other policies: which releases would these have stopped?',
    tag: 'gate',
    access: READ,
    body: z.object({
      policies,
      service: name.optional(),
      environment: name.optional(),
      sinceMs: z.number().int().min(0).max(8.64e15).optional(),
      limit: z.number().int().min(1).max(DRY_RUN_LIMIT).default(500),
    }),
    response: z.object({ looked: z.number(), stopped: z.array(change), released: z.array(change) }),
    async handle(_, { body }) {
      const { policies: other, ...rest } = body;
      const problems = other.flatMap((policy) => {
        const compilation = compilePolicy(policy);
        return compilation.ok ? [] : compilation.diagnostics;
      });
      if (problems.length > 0) {
        throw new SlipwayError('invalid_config', 'the policies do not load', { diagnostics: problems });
      }
      expectWork(other.map((policy) => workOf(policy) * rest.limit));
      const { looked, stopped, released } = await dryRun({ database }, other, rest);
      return { looked, stopped: stopped.map(shown), released: released.map(shown) };
    },
  });
}

function workOf(policy: PolicyConfig): number {
  const compilation = compilePolicy(policy);
  return compilation.ok ? compilation.compiled.allow.cost : 0;
}

function expectWork(steps: readonly number[]): void {
  const sum = steps.reduce((total, one) => total + one, 0);
  if (sum <= MAX_WORK) return;
  throw new SlipwayError(
    'payload_too_large',
    `about ${Math.round(sum)} steps of evaluation; at most ${MAX_WORK}`,
    {
      hint: 'Ask for fewer policies, tests or decisions at once.',
    },
  );
}

/** The answer's types know no read-only lists. */
function shown<Value extends { results: readonly PolicyResult[] }>(value: Value) {
  return { ...value, results: value.results.map((result) => ({ ...result, missing: [...result.missing] })) };
}

function clone(policy: PolicyConfig) {
  return { ...policy, tests: policy.tests.map((test) => ({ ...test, facts: { ...test.facts } })) };
}
