import { type Digest, isDigest } from '../../../kernel/digest.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import type { StoredManifest } from '../../../platform/oci/types.ts';
import type { Database } from '../../../platform/postgres/database.ts';
import type { ManifestCache } from '../cache.ts';
import { digestOf } from '../digests.ts';
import { readPrepared } from './prepared.ts';

/** The digest a reference stands for now, or null. Asked of the database every time, so that deletes show at once. */
async function resolveManifest(
  database: Database,
  repository: string,
  reference: string,
): Promise<Digest | null> {
  const rows = isDigest(reference)
    ? await readPrepared<{ digest: Digest }>(
        database,
        'registry_manifest_exists',
        'select digest from registry_manifests where repository = $1 and digest = $2',
        [repository, reference],
      )
    : await readPrepared<{ digest: Digest }>(
        database,
        'registry_tag_digest',
        'select digest from registry_tags where repository = $1 and tag = $2',
        [repository, reference],
      );
  return rows[0]?.digest ?? null;
}

/** By tag or digest; null when absent. Bytes that do not match their digest are `tampered`, never served. */
export async function readManifest(
  database: Database,
  cache: ManifestCache,
  repository: string,
  reference: string,
): Promise<StoredManifest | null> {
  const digest = await resolveManifest(database, repository, reference);
  if (!digest) return null;
  const known = cache.get(repository, digest);
  if (known) return known;
  const rows = await readPrepared<{ media_type: string; content: Buffer }>(
    database,
    'registry_manifest',
    'select media_type, content from registry_manifests where repository = $1 and digest = $2',
    [repository, digest],
  );
  const row = rows[0];
  if (!row) return null;
  if (digestOf(digest, row.content) !== digest) {
    throw new SlipwayError('tampered', `the stored bytes of the manifest ${digest} are others`, {
      facts: { digest },
    });
  }
  const manifest = { mediaType: row.media_type, digest, bytes: row.content };
  cache.put(repository, manifest);
  return manifest;
}
