import type { Digest } from '../../kernel/digest.ts';
import type { Evidence } from '../../kernel/evidence.ts';
import { type Descriptor, MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { type EvidenceTrust, judgeBundle } from './judge.ts';
import { contentProblem, readReferrer } from './referrers.ts';

/** More evidence than this about one artifact is an attack or a mistake. */
export const MAX_REFERRERS = 500;
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
  for (let at = 0; at < Math.min(ordered.length, MAX_REFERRERS); at += AT_ONCE) {
    const some = ordered.slice(at, Math.min(at + AT_ONCE, MAX_REFERRERS));
    evidence.push(
      ...(await Promise.all(some.map((one) => judgeReferrer(registry, repository, one, digest, trust)))),
    );
  }
  for (const descriptor of ordered.slice(MAX_REFERRERS, MAX_REFERRERS + 1)) {
    const left = ordered.length - MAX_REFERRERS;
    evidence.push(
      unread(descriptor.digest, `it and ${left - 1} more were not looked at: ${MAX_REFERRERS} is the bound`),
    );
  }
  return evidence;
}

async function judgeReferrer(
  registry: RegistryClient,
  repository: string,
  descriptor: Descriptor,
  digest: Digest,
  trust: EvidenceTrust,
): Promise<Evidence> {
  const { bundle } = await readReferrer(registry, repository, descriptor, digest);
  if (typeof bundle === 'string') return unread(descriptor.digest, bundle);
  return { ...judgeBundle(bundle, digest, trust).evidence, referrer: descriptor.digest };
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
