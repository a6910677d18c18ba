import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Digest } from '../../../kernel/digest.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { type Descriptor, MEDIA, type RegistryClient } from '../../../platform/oci/types.ts';
import { layoutBlob } from './layout.ts';

/**
 * Pushes the image of a layout: blobs first (those that are there are passed over), the manifest by digest, then the
 * tag. Safe to repeat: the same digest under the same tag is no change.
 */
export async function pushLayout(
  client: RegistryClient,
  target: { layout: string; repository: string; tag: string },
  image: { manifest: { bytes: Buffer; digest: Digest }; blobs: readonly Descriptor[] },
  signal?: AbortSignal,
): Promise<{ pushedBytes: number }> {
  let pushedBytes = 0;
  for (const { digest } of image.blobs) {
    signal?.throwIfAborted();
    if (await client.hasBlob(target.repository, digest)) continue;
    const path = layoutBlob(target.layout, digest);
    const { size } = await stat(path);
    await client.putBlob(target.repository, digest, { open: () => createReadStream(path), size });
    pushedBytes += size;
  }
  for (const reference of [image.manifest.digest, target.tag]) {
    const stored = await client.putManifest(
      target.repository,
      reference,
      MEDIA.imageManifest,
      image.manifest.bytes,
    );
    if (stored !== image.manifest.digest) {
      throw new SlipwayError('digest_mismatch', `the registry stored ${stored} for ${image.manifest.digest}`);
    }
  }
  return { pushedBytes };
}
