import type { Digest } from './digest.ts';

/** The answer of a gate. `warn` lets the change pass and says what was found. */
export type Outcome = 'allow' | 'warn' | 'deny';

export interface PolicyResult {
  policy: string;
  severity: 'warn' | 'block';
  outcome: Outcome;
  /** A sentence for the person who has to act. */
  reason: string;
  /** Facts the policy needed and did not get; any makes it a deny. */
  missing: readonly string[];
}

/** A recorded gate decision: enough to replay it. */
export interface Decision {
  id: string;
  service: string;
  environment: string;
  digest: Digest;
  outcome: Outcome;
  /** sha256 over the canonical policy set that was evaluated. */
  policyHash: Digest;
  results: readonly PolicyResult[];
  /** The facts as they were, canonical JSON hashed by `inputsHash`. */
  inputs: Record<string, unknown>;
  inputsHash: Digest;
  atMs: number;
}
