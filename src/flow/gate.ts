import type { Decision } from '../kernel/decision.ts';
import type { Digest } from '../kernel/digest.ts';
import { isSlipwayError } from '../kernel/errors.ts';
import { PREDICATES } from '../kernel/evidence.ts';
import { decisionPredicate } from '../stages/attest/decision.ts';
import { signStatement } from '../stages/attest/sign.ts';
import { collectEvidence } from '../stages/attest/verify.ts';
import { evaluateGate as evaluate, type GateRequest } from '../stages/gate/apply.ts';
import { append } from '../support/ledger/append.ts';
import { builderId, type Machine } from './machine.ts';

/** The gate stage with evidence from the attest stage; its decision becomes evidence of its own, signed by the gate's key. */
export function evaluateGate(machine: Machine, request: GateRequest): Promise<Decision> {
  const { database, clock, registry, keyring, ledger } = machine;
  return evaluate(
    {
      database,
      clock,
      registry,
      append,
      platform: async () => (await machine.platform()).config,
      collectEvidence: (repository, digest) =>
        collectEvidence(registry, repository, digest, { keys: keyring.publicKeys(), log: ledger }),
      signDecision: (decision, repository) => signDecision(machine, decision, repository),
    },
    request,
  );
}

/** A digest that is not in the registry was denied for that; there is nothing to attach the decision to. */
async function signDecision(machine: Machine, decision: Decision, repository: string): Promise<void> {
  const { database, registry, keyring, ledger, clock } = machine;
  const { service, environment, digest } = decision;
  const predicate = decisionPredicate(decision, {
    verifierId: builderId(machine),
    repository,
    inputs: evidenceInputs(decision),
  });
  try {
    await signStatement(
      { database, registry, signer: keyring.signer('gate'), log: ledger, clock, actor: 'system:worker' },
      { service, environment, repository, digest: digest as Digest },
      { predicateType: PREDICATES.decision, predicate },
    );
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== 'image_missing') throw error;
  }
}

function evidenceInputs(decision: Decision): { digest: string; predicateType: string }[] {
  const { evidence } = decision.inputs as {
    evidence?: Record<string, { referrer?: unknown; predicateType?: unknown }>;
  };
  return Object.values(evidence ?? {}).flatMap(({ referrer, predicateType }) =>
    typeof referrer === 'string' && typeof predicateType === 'string'
      ? [{ digest: referrer, predicateType }]
      : [],
  );
}
