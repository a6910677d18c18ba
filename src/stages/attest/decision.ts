import type { Decision } from '../../kernel/decision.ts';
import { digestHex } from '../../kernel/digest.ts';

/**
 * SLSA verification summary v1 of a gate's decision. `inputs` are the referrers the gate looked at. Only the gate's key
 * may sign it, so that no build can vouch for itself.
 */
export function decisionPredicate(
  decision: Decision,
  context: {
    verifierId: string;
    repository: string;
    inputs: readonly { digest: string; predicateType: string }[];
  },
): Record<string, unknown> {
  return {
    verifier: { id: context.verifierId },
    timeVerified: new Date(decision.atMs).toISOString(),
    resourceUri: `${context.repository}@${decision.digest}`,
    policy: {
      uri: `urn:slipway:policies:${decision.environment}`,
      digest: { sha256: digestHex(decision.policyHash) },
    },
    inputAttestations: context.inputs.map(({ digest, predicateType }) => ({
      uri: predicateType,
      digest: { sha256: digest.slice(digest.indexOf(':') + 1) },
    })),
    verificationResult: decision.outcome === 'deny' ? 'FAILED' : 'PASSED',
    verifiedLevels: [],
    slsaVersion: '1.1',
    decision: {
      id: decision.id,
      service: decision.service,
      environment: decision.environment,
      outcome: decision.outcome,
      inputsHash: decision.inputsHash,
      results: decision.results.map(({ policy, severity, outcome, reason }) => ({
        policy,
        severity,
        outcome,
        reason,
      })),
    },
  };
}
