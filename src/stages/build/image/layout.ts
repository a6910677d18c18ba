import { copyFile, link, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../../kernel/canonical.ts';
import { type Digest, digestHex } from '../../../kernel/digest.ts';
import { MEDIA } from '../../../platform/oci/types.ts';

/** The path of a blob inside an OCI image layout. */
export function layoutBlob(layout: string, digest: Digest): string {
  const [algorithm = 'sha256'] = digest.split(':');
  return join(layout, 'blobs', algorithm, digestHex(digest));
}

export async function startLayout(layout: string): Promise<void> {
  await mkdir(join(layout, 'blobs', 'sha256'), { recursive: true });
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

export async function addBytes(layout: string, digest: Digest, bytes: Buffer): Promise<void> {
  await writeFile(layoutBlob(layout, digest), bytes);
}

/** By hard link where the file system allows: layers stay where the cache has them. */
export async function addFile(layout: string, digest: Digest, path: string): Promise<void> {
  const target = layoutBlob(layout, digest);
  try {
    await link(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    await copyFile(path, target);
  }
}

/** Names the one image of the layout. */
export async function finishLayout(layout: string, digest: Digest, tag: string): Promise<void> {
  const { size } = await stat(layoutBlob(layout, digest));
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  const manifests = [{ mediaType: MEDIA.imageManifest, digest, size, annotations }];
  await writeFile(
    join(layout, 'index.json'),
    canonicalJson({ schemaVersion: 2, mediaType: MEDIA.imageIndex, manifests }),
  );
}
