import type { Digest } from './digest.ts';

/** In-toto predicate types that Slipway writes and reads. */
export const PREDICATES = {
  provenance: 'https://slsa.dev/provenance/v1',
  sbom: 'https://cyclonedx.org/bom',
  test: 'https://in-toto.io/attestation/test-result/v0.1',
  scan: 'https://in-toto.io/attestation/vulns/v0.1',
  decision: 'https://slsa.dev/verification_summary/v1',
  signature: 'https://sigstore.dev/cosign/sign/v1',
} as const;

export type EvidenceKind = keyof typeof PREDICATES;

/** One referrer of an artifact, after its signature was judged. Only `verified` evidence may satisfy a policy. */
export interface Evidence {
  kind: EvidenceKind | 'other';
  predicateType: string;
  /** Digest of the referrer manifest that carried the bundle. */
  referrer: Digest;
  verified: boolean;
  /** Why it did not verify; null when it did. */
  problem: string | null;
  /** Name of the key in the keyring, when known. */
  key: string | null;
  /** Ledger index of the signature entry whose inclusion proof the bundle carries. */
  ledgerIndex: number | null;
  /** The predicate of the statement, as JSON; null when the envelope does not parse. */
  predicate: Record<string, unknown> | null;
}
