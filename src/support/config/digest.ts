import { canonicalJson } from '../../kernel/canonical.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';

/** The identity of a resolved configuration: sha256 over its canonical JSON, so comments and key order do not matter. */
export function configDigest(config: unknown): Digest {
  return sha256(canonicalJson(config));
}
