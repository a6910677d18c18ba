import type { Digest } from '../../kernel/digest.ts';
import type { StoredManifest } from '../../platform/oci/types.ts';

const CACHE_BYTES_MAX = 32 * 1024 * 1024;
const ENTRY_BYTES_MAX = 256 * 1024;

export interface ManifestCache {
  get(repository: string, digest: Digest): StoredManifest | undefined;
  put(repository: string, manifest: StoredManifest): void;
}

/** The manifests used last. It holds bytes by digest only; whether they are (still) there is asked of the database. */
export function createManifestCache(maxBytes = CACHE_BYTES_MAX): ManifestCache {
  const entries = new Map<string, StoredManifest>();
  let bytes = 0;
  return {
    get(repository, digest) {
      const key = `${repository}@${digest}`;
      const found = entries.get(key);
      if (!found) return undefined;
      entries.delete(key);
      entries.set(key, found);
      return found;
    },
    put(repository, manifest) {
      const key = `${repository}@${manifest.digest}`;
      if (manifest.bytes.length > ENTRY_BYTES_MAX || entries.has(key)) return;
      entries.set(key, manifest);
      bytes += manifest.bytes.length;
      for (const [oldest, entry] of entries) {
        if (bytes <= maxBytes) break;
        entries.delete(oldest);
        bytes -= entry.bytes.length;
      }
    },
  };
}
