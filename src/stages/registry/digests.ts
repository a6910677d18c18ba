import { createHash } from 'node:crypto';
import type { Digest } from '../../kernel/digest.ts';
import { algorithmOf } from '../../platform/blobs/verify.ts';

/** The digest of `bytes` by the algorithm of `like`. */
export function digestOf(like: Digest, bytes: Uint8Array): Digest {
  const algorithm = algorithmOf(like);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
