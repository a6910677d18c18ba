import { PREDICATES } from '../../kernel/evidence.ts';
import type { AttestationInput } from './input.ts';
import { provenancePredicate } from './provenance.ts';
import { sbomPredicate } from './sbom/document.ts';
import { type Attached, type NewStatement, type SignDeps, signStatements } from './sign.ts';
import { testResultPredicate } from './test-result.ts';

export interface AttestDeps extends SignDeps {
  /** A URI that names this installation as a builder. */
  builderId: string;
}

/**
 * Signs and attaches what a build proves: provenance, SBOM and, when tests ran, their result. Doing it again, after a
 * crash at any point or from two workers at once, attaches nothing twice. Error beside those of `signStatements`:
 * `lockfile_broken`.
 */
export async function attestArtifact(deps: AttestDeps, input: AttestationInput): Promise<Attached[]> {
  return await signStatements(deps, input, attestations(input, deps.builderId));
}

/** Pure: the statements a build's report leads to. */
export function attestations(input: AttestationInput, builderId: string): NewStatement[] {
  const tests = testResultPredicate(input);
  return [
    { predicateType: PREDICATES.provenance, predicate: provenancePredicate(input, builderId) },
    { predicateType: PREDICATES.sbom, predicate: sbomPredicate(input) },
    ...(tests ? [{ predicateType: PREDICATES.test, predicate: tests }] : []),
  ];
}
