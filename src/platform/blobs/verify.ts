import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import type { BlobStore } from './store.ts';

export type Algorithm = 'sha256' | 'sha512';

export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** Reads the blob again and compares. `tampered` names the digest of a blob whose bytes are others; `not_found` if absent. */
export async function verifyBlob(store: BlobStore, digest: Digest): Promise<void> {
  const { stream } = await store.open(digest);
  const algorithm = algorithmOf(digest);
  const hash = createHash(algorithm);
  for await (const chunk of stream) hash.update(chunk as Buffer);
  const actual = `${algorithm}:${hash.digest('hex')}`;
  if (actual !== digest) {
    throw new SlipwayError('tampered', `the stored bytes of ${digest} are ${actual}`, {
      hint: 'Push the blob again: the same bytes replace the damaged ones.',
      facts: { digest, actual },
    });
  }
}

/** Reads every blob; returns the digests of those whose bytes are others (or cannot be read). */
export async function scrub(store: BlobStore): Promise<Digest[]> {
  const damaged: Digest[] = [];
  for await (const { digest } of store.list()) {
    try {
      await verifyBlob(store, digest);
    } catch (error) {
      // Deleted since it was listed.
      if (isSlipwayError(error) && error.code === 'not_found') continue;
      damaged.push(digest);
    }
  }
  return damaged;
}

/** Hex digest of a whole file, read through the handle. */
export async function hashFile(file: FileHandle, algorithm: Algorithm): Promise<string> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}
