import { canonicalJson } from '../../kernel/canonical.ts';
import type { PolicyConfig } from '../../kernel/config.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import type { Diagnostic } from '../../kernel/errors.ts';
import { compileExpression, type Program } from './evaluate.ts';
import { diagnosticAt } from './expression.ts';
import { compileTemplate, type Template } from './template.ts';

/** A policy that loads: its expression gives true or false, its message can be written. */
export interface CompiledPolicy {
  config: PolicyConfig;
  allow: Program;
  message: Template;
}

export type Compilation = { ok: true; compiled: CompiledPolicy } | { ok: false; diagnostics: Diagnostic[] };

/** Parses, types and bounds a policy. Positions count within the policy's own texts. Never throws. */
export function compilePolicy(policy: PolicyConfig): Compilation {
  const place = { policy: policy.name, path: 'allow', text: policy.allow };
  const allow = compileExpression(place, policy.allow);
  const message = compileTemplate({ policy: policy.name, path: 'message', text: policy.message });
  const diagnostics = [allow, message].flatMap((part) => ('diagnostics' in part ? part.diagnostics : []));
  if ('evaluate' in allow && allow.type.kind !== 'bool') {
    const hint = 'Compare it with something: a policy answers true or false.';
    diagnostics.push(diagnosticAt(place, 0, 'the expression gives no true/false', hint));
  }
  if ('diagnostics' in allow || 'diagnostics' in message || diagnostics.length > 0)
    return { ok: false, diagnostics };
  return { ok: true, compiled: { config: policy, allow, message } };
}

/** Counts the ways decisions are made; raise it when the same policies and facts would be judged otherwise. */
const JUDGE_VERSION = 1;

/** Names a set of policies, whatever their order. */
export function policyHash(policies: readonly PolicyConfig[]): Digest {
  const sorted = [...policies].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sha256(canonicalJson({ judge: JUDGE_VERSION, policies: sorted }));
}
