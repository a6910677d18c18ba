import type { Digest } from '../../kernel/digest.ts';
import type { Evidence } from '../../kernel/evidence.ts';
import { type Descriptor, MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { type EvidenceTrust, judgeBundle } from './judge.ts';
import { contentProblem, readReferrer } from './referrers.ts';

/** More evidence than this about one artifact is an attack or a mistake. */
export const MAX_REFERRERS = 500;
/** Read for one artifact in all; what is on its way when it is reached is still judged. */
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;
const AT_ONCE = 4;

/**
 * Everything that is attached to an artifact, each piece judged on its own. Whatever the registry holds, this answers;
 * only a registry that cannot be reached throws (`unreachable`, retryable), so that no answer is never taken for no
 * evidence.
 */
export async function collectEvidence(
  registry: RegistryClient,
  repository: string,
  digest: Digest,
  trust: EvidenceTrust,
): Promise<Evidence[]> {
  let found: Descriptor[];
  try {
    found = await registry.referrers(repository, digest);
  } catch (error) {
    return [unread(digest, contentProblem(error))];
  }
  const unique = [...new Map(found.map((descriptor) => [descriptor.digest, descriptor])).values()];
  const ordered = unique.sort(bundlesFirst);
  const evidence: Evidence[] = [];
  let budget = MAX_TOTAL_BYTES;
  while (evidence.length < Math.min(ordered.length, MAX_REFERRERS) && budget > 0) {
    const some = ordered.slice(evidence.length, Math.min(evidence.length + AT_ONCE, MAX_REFERRERS));
    const judged = await Promise.all(
      some.map((one) => judgeReferrer(registry, repository, one, digest, trust)),
    );
    for (const { bytes, ...one } of judged) {
      budget -= bytes;
      evidence.push(one);
    }
  }
  const left = ordered.slice(evidence.length);
  if (left[0]) {
    const bound = `${MAX_REFERRERS} pieces and ${MAX_TOTAL_BYTES} bytes are the bound`;
    evidence.push(unread(left[0].digest, `it and ${left.length - 1} more were not looked at: ${bound}`));
  }
  return evidence;
}

async function judgeReferrer(
  registry: RegistryClient,
  repository: string,
  descriptor: Descriptor,
  digest: Digest,
  trust: EvidenceTrust,
): Promise<Evidence & { bytes: number }> {
  const { bundle } = await readReferrer(registry, repository, descriptor, digest);
  if (typeof bundle === 'string') return { ...unread(descriptor.digest, bundle), bytes: 0 };
  const { evidence } = judgeBundle(bundle, digest, trust);
  return { ...evidence, referrer: descriptor.digest, bytes: bundle.length };
}

/** So that noise of other types cannot push bundles past the bound. Ties keep the registry's order. */
function bundlesFirst(a: Descriptor, b: Descriptor): number {
  return Number(b.artifactType === MEDIA.sigstoreBundle) - Number(a.artifactType === MEDIA.sigstoreBundle);
}

function unread(referrer: Digest, problem: string): Evidence {
  return {
    kind: 'other',
    predicateType: '',
    referrer,
    verified: false,
    problem,
    key: null,
    ledgerIndex: null,
    predicate: null,
  };
}
