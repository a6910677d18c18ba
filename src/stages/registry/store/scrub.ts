import { type Digest, isDigest } from '../../../kernel/digest.ts';
import type { BlobStore } from '../../../platform/blobs/store.ts';
import { scrub } from '../../../platform/blobs/verify.ts';
import type { Database } from '../../../platform/postgres/database.ts';
import { digestOf } from '../digests.ts';

export interface RegistryDamage {
  /** Blobs whose bytes are others. */
  damagedBlobs: Digest[];
  /** Blobs that were acknowledged and are not in the store. */
  missingBlobs: Digest[];
  damagedManifests: { repository: string; digest: Digest }[];
}

const BLOBS_PAGE = 1000;
/** A manifest may be 4 MiB. */
const MANIFESTS_PAGE = 20;

/** Reads every blob and manifest of the registry again and names what is damaged or lost. */
export async function scrubRegistry(database: Database, blobs: BlobStore): Promise<RegistryDamage> {
  const damaged = await scrub(blobs);
  const missingBlobs: Digest[] = [];
  for (let last = ''; ; ) {
    const rows = await database.query<{ digest: Digest }>(
      'select digest from registry_blobs where digest > $1 order by digest limit $2',
      [last, BLOBS_PAGE],
    );
    for (const { digest } of rows) if ((await blobs.stat(digest)) === null) missingBlobs.push(digest);
    const end = rows.at(-1);
    if (!end) break;
    last = end.digest;
  }
  return { damagedBlobs: damaged, missingBlobs, damagedManifests: await scrubManifests(database) };
}

async function scrubManifests(database: Database): Promise<RegistryDamage['damagedManifests']> {
  const damaged: RegistryDamage['damagedManifests'] = [];
  for (let last = ['', '']; ; ) {
    const rows = await database.query<{ repository: string; digest: Digest; content: Buffer }>(
      `select repository, digest, content from registry_manifests where (repository, digest) > ($1, $2)
       order by repository, digest limit ${MANIFESTS_PAGE}`,
      last,
    );
    for (const { repository, digest, content } of rows) {
      if (!isDigest(digest) || digestOf(digest, content) !== digest) damaged.push({ repository, digest });
    }
    const end = rows.at(-1);
    if (!end) return damaged;
    last = [end.repository, end.digest];
  }
}
