import type { PolicyConfig } from '../../kernel/config.ts';
import type { Outcome, PolicyResult } from '../../kernel/decision.ts';
import type { Diagnostic } from '../../kernel/errors.ts';
import { diagnosticAt } from './expression.ts';
import { factAt, unfit } from './facts.ts';
import { type CompiledPolicy, compilePolicy } from './plan.ts';

export interface Judgement {
  outcome: Outcome;
  results: PolicyResult[];
}

/** Policies made ready to judge many facts; one that does not load carries what it answers instead. */
export type Judge = (facts: unknown) => Judgement;

/**
 * What the policies say about the facts. Only `true` lets through: false, an error, a missing fact, a policy that does not
 * load each stop it (or warn, where the policy only warns). No policies at all is an environment that asks for nothing.
 */
export function decide(policies: readonly PolicyConfig[], facts: unknown): Judgement {
  return prepare(policies)(facts);
}

export function prepare(policies: readonly PolicyConfig[]): Judge {
  const prepared = policies.map((policy) => ({ policy, compilation: compilePolicy(policy) }));
  return (facts) => {
    const results = prepared.map(({ policy, compilation }) =>
      compilation.ok
        ? judgePolicy(compilation.compiled, facts)
        : doesNotLoad(policy, compilation.diagnostics),
    );
    return { outcome: worst(results), results };
  };
}

export function judgePolicy(policy: CompiledPolicy, facts: unknown): PolicyResult {
  const { name, severity } = policy.config;
  const answer = policy.allow.evaluate(facts);
  if ('value' in answer && answer.value === true) {
    return { policy: name, severity, outcome: 'allow', reason: 'The policy holds.', missing: [] };
  }
  const missing = missingFacts(policy.allow.facts, facts);
  const message = policy.message.render(facts);
  const error = 'error' in answer && missing.length === 0 ? ` (${clip(answer.error)})` : '';
  const reason = `${message}${untrusted(missing, facts)}${error}`;
  return { policy: name, severity, outcome: against(severity), reason, missing };
}

/** An unreadable policy stops the change even where it would only have warned: nobody knows what it would have said. */
function doesNotLoad(policy: PolicyConfig, diagnostics: readonly { message: string }[]): PolicyResult {
  const reason = `The policy does not load: ${diagnostics.map(({ message }) => message).join('; ')}`;
  return { policy: policy.name, severity: 'block', outcome: 'deny', reason: clip(reason), missing: [] };
}

function against(severity: PolicyConfig['severity']): Outcome {
  return severity === 'warn' ? 'warn' : 'deny';
}

export function worst(results: readonly PolicyResult[]): Outcome {
  if (results.some(({ outcome }) => outcome === 'deny')) return 'deny';
  return results.some(({ outcome }) => outcome === 'warn') ? 'warn' : 'allow';
}

/**
 * The facts among `named` that are not there; in place of the details of a piece of evidence that is not there or does not
 * verify, the piece itself.
 */
function missingFacts(named: readonly string[], facts: unknown): string[] {
  const missing = named.flatMap((name) => {
    const path = name.split('.');
    const piece = pieceOf(path);
    if (piece !== null && factAt(facts, [...piece, 'verified']) !== true) return [piece.join('.')];
    return factAt(facts, path) === undefined ? [name] : [];
  });
  return [...new Set(missing)];
}

function pieceOf(path: readonly string[]): readonly string[] | null {
  return path[0] === 'evidence' ? path.slice(0, 2) : null;
}

/** Evidence that is there but does not verify deserves its own sentence: somebody may have tampered with it. */
function untrusted(missing: readonly string[], facts: unknown): string {
  return missing
    .filter((name) => factAt(facts, [...name.split('.'), 'present']) === true)
    .map((name) => {
      const problem = factAt(facts, [...name.split('.'), 'problem']);
      return ` ${name} is there but does not verify${problem === undefined ? '' : `: ${problem}`}.`;
    })
    .join('');
}

const REASON_CHARS = 500;

function clip(text: string): string {
  return text.length > REASON_CHARS ? `${text.slice(0, REASON_CHARS - 1)}…` : text;
}

/** Runs the tests inside the policies. Empty when every policy loads and every test answers what it expects. */
export function testPolicies(policies: readonly PolicyConfig[]): Diagnostic[] {
  return policies.flatMap((policy) => {
    const compilation = compilePolicy(policy);
    if (!compilation.ok) return compilation.diagnostics;
    return policy.tests.flatMap((test, index) => testPolicy(compilation.compiled, test, index));
  });
}

function testPolicy(
  policy: CompiledPolicy,
  test: PolicyConfig['tests'][number],
  index: number,
): Diagnostic[] {
  const place = { policy: policy.config.name, path: `tests[${index}]`, text: policy.config.allow };
  const wrong = unfit(test.facts).map(({ path, expected, got }) =>
    diagnosticAt(
      { ...place, path: `tests[${index}].facts.${path}` },
      0,
      `test "${test.name}": "${path}" is no fact of that kind`,
      `Expected ${expected}, got ${got}.`,
    ),
  );
  if (wrong.length > 0) return wrong;
  const result = judgePolicy(policy, test.facts);
  // A warning is what a deny looks like at a policy that only warns.
  const answer = result.outcome === 'allow' ? 'allow' : 'deny';
  if (answer === test.expect) return [];
  const missing = result.missing.length > 0 ? ` Missing: ${result.missing.join(', ')}.` : '';
  return [
    diagnosticAt(
      place,
      0,
      `test "${test.name}": expected ${test.expect}, got ${answer}`,
      `${result.reason}${missing}`,
    ),
  ];
}
