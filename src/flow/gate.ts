import type { Decision } from '../kernel/decision.ts';
import { isSlipwayError } from '../kernel/errors.ts';
import { type Evidence, PREDICATES } from '../kernel/evidence.ts';
import { decisionPredicate } from '../stages/attest/decision.ts';
import { signStatement } from '../stages/attest/sign.ts';
import { collectEvidence } from '../stages/attest/verify.ts';
import { evaluateGate as evaluate, type GateRequest } from '../stages/gate/apply.ts';
import { append } from '../support/ledger/append.ts';
import { builderId, type Machine } from './machine.ts';

/** The gate stage with evidence from the attest stage; its decision becomes evidence of its own, signed by the gate's key. */
export async function evaluateGate(machine: Machine, request: GateRequest): Promise<Decision> {
  const { database, clock, registry, keyring, ledger } = machine;
  let looked: readonly Evidence[] = [];
  return evaluate(
    {
      database,
      clock,
      registry,
      append,
      platform: async () => (await machine.platform()).config,
      async collectEvidence(repository, digest) {
        looked = await collectEvidence(registry, repository, digest, {
          keys: keyring.publicKeys(),
          log: ledger,
        });
        return looked;
      },
      signDecision: (decision, repository) => signDecision(machine, decision, repository, looked),
    },
    request,
  );
}

/**
 * What the gate looked at are the verified referrers other than earlier decisions. A digest that is not in the registry was
 * denied for that; there is nothing to attach the decision to.
 */
async function signDecision(
  machine: Machine,
  decision: Decision,
  repository: string,
  looked: readonly Evidence[],
): Promise<void> {
  const { database, registry, keyring, ledger, clock } = machine;
  const { service, environment, digest } = decision;
  const inputs = looked
    .filter((evidence) => evidence.verified && evidence.kind !== 'decision')
    .map((evidence) => ({ digest: evidence.referrer, predicateType: evidence.predicateType }))
    .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const predicate = decisionPredicate(decision, { verifierId: builderId(machine), repository, inputs });
  try {
    await signStatement(
      { database, registry, signer: keyring.signer('gate'), log: ledger, clock, actor: 'system:worker' },
      { service, environment, repository, digest },
      { predicateType: PREDICATES.decision, predicate },
    );
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== 'image_missing') throw error;
  }
}
