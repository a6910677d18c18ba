import type { EnvironmentConfig } from '../../kernel/config.ts';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Evidence } from '../../kernel/evidence.ts';
import type { RegistryClient } from '../../platform/oci/types.ts';
import type { Queryable } from '../../platform/postgres/database.ts';
import { evidenceFacts } from './evidence-facts.ts';
import { type Facts, isRecord } from './facts.ts';
import { readCommit, readHistory } from './store.ts';

export interface GatherDeps {
  database: Queryable;
  registry: Pick<RegistryClient, 'getManifest'>;
  /** The attest stage's: every referrer of the artifact, each after its signature was judged. */
  collectEvidence(repository: string, digest: Digest): Promise<readonly Evidence[]>;
}

export interface GateSubject {
  service: string;
  environment: EnvironmentConfig;
  digest: Digest;
  repository: string;
  releaseId: string | null;
}

/** The registry gets this long; then the question is put again later. */
export const GATHER_TIMEOUT_MS = 30_000;
/**
 * More referrers than this are a deny: nothing honest attaches so many, and among those not looked at could be the failed
 * test result that somebody wants to hide. The attest stage gives one more than its own bound (500) when it stops there.
 */
export const MAX_EVIDENCE = 500;

/**
 * Collects the facts as they are now. Errors: `image_missing` and what the registry and the evidence say; retryable ones
 * mean that nobody knows yet.
 */
export async function gatherFacts(deps: GatherDeps, subject: GateSubject, nowMs: number): Promise<Facts> {
  const { service, environment, digest, repository } = subject;
  const [manifest, evidence, { commit, releaseNumber }, history] = await within(
    GATHER_TIMEOUT_MS,
    Promise.all([
      deps.registry.getManifest(repository, digest),
      deps.collectEvidence(repository, digest),
      readCommit(deps.database, subject),
      readHistory(deps.database, { service, environment: environment.name, digest }),
    ]),
  );
  if (manifest.digest !== digest) {
    throw new SlipwayError('digest_mismatch', `the registry gave ${manifest.digest} for ${digest}`);
  }
  if (evidence.length > MAX_EVIDENCE) {
    throw new SlipwayError(
      'payload_too_large',
      `${evidence.length} referrers; at most ${MAX_EVIDENCE} are judged`,
    );
  }
  return {
    artifact: { digest, repository, mediaType: manifest.mediaType, sizeBytes: sizeOf(manifest.bytes) },
    commit: commit === null ? {} : commitFacts(commit),
    service: { name: service },
    environment: { name: environment.name, production: environment.production },
    evidence: evidenceFacts(evidence, { commit: commit?.sha ?? null, nowMs }),
    history,
    release: releaseNumber === null ? {} : { number: releaseNumber },
  };
}

function commitFacts(commit: {
  sha: string;
  author: string;
  signature: string;
  committed_at: Date;
  message: string;
}) {
  const { sha, author, signature, message } = commit;
  return { sha, author, signature, message, committedAt: commit.committed_at.toISOString() };
}

/** Bytes of the manifest and of what it names; undefined when it does not say. */
function sizeOf(manifest: Buffer): number | undefined {
  let value: unknown;
  try {
    value = JSON.parse(manifest.toString());
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const lists: unknown[] = [value.layers, value.manifests].filter(Array.isArray).flat();
  const parts = value.config === undefined ? lists : [value.config, ...lists];
  const sizes = parts.map((part) =>
    isRecord(part) && typeof part.size === 'number' ? part.size : Number.NaN,
  );
  const sum = sizes.reduce((total, size) => total + size, manifest.length);
  return Number.isSafeInteger(sum) ? sum : undefined;
}

async function within<Value>(timeoutMs: number, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SlipwayError('timeout', `the evidence was not there within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
