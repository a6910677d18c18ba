import { join } from 'node:path';
import { canonicalJson } from '../../../kernel/canonical.ts';
import { type Digest, isDigest, sha256 } from '../../../kernel/digest.ts';
import type { Compression } from '../image/compress.ts';
import { packArchive } from '../image/pack.ts';
import type { TarInput } from '../image/tar.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { CacheIndex, CacheShape, Lookup } from './index.ts';
import { CACHE_FORMAT, treeDigest } from './key.ts';

/** A packed layer in the cache. */
export interface StoredLayer {
  digest: Digest;
  size: number;
  diffId: Digest;
  unpackedSize: number;
}

const SHAPE: CacheShape<StoredLayer> = {
  parse(value) {
    const layer = value as StoredLayer;
    return isDigest(String(layer?.digest)) && isDigest(String(layer.diffId)) ? layer : null;
  },
  files: (layer) => [layer],
};

/** The same files, time and compression give the same layer, so it is packed once. */
export function layerKey(entries: readonly TreeEntry[], mtimeS: number, compression: Compression): Digest {
  const library = compression === 'gzip' ? process.versions.zlib : process.versions.zstd;
  return sha256(
    canonicalJson({ format: CACHE_FORMAT, tree: treeDigest(entries), mtimeS, compression, library }),
  );
}

export function findLayer(cache: CacheIndex, key: Digest, nowMs: number): Promise<Lookup<StoredLayer>> {
  return cache.find('layers', key, SHAPE, nowMs);
}

export async function storeLayer(
  cache: CacheIndex,
  key: Digest,
  inputs: readonly TarInput[],
  options: { mtimeS: number; compression: Compression; buildId: string },
): Promise<StoredLayer> {
  const scratch = join(`${options.buildId}-layer-${key.slice(7, 23)}`);
  const { digest, size, diffId, unpackedSize } = await packArchive(cache.blobs, scratch, inputs, options);
  const layer = { digest, size, diffId, unpackedSize };
  await cache.put('layers', key, layer);
  return layer;
}
