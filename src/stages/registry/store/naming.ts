import type { Digest } from '../../../kernel/digest.ts';
import type { Transaction } from '../../../platform/postgres/database.ts';
import { parseManifest } from '../manifest.ts';

/** Digest of a manifest of the repository that needs this blob or manifest, or null. */
export async function manifestNaming(
  tx: Transaction,
  repository: string,
  digest: Digest,
): Promise<Digest | null> {
  const candidates = await tx.query<{ digest: Digest }>(
    `select digest from registry_manifests
     where repository = $1 and digest <> $2 and position(convert_to($2, 'UTF8') in content) > 0`,
    [repository, digest],
  );
  // The text alone proves nothing: a subject or an annotation may hold it too.
  for (const candidate of candidates) {
    const rows = await tx.query<{ media_type: string; content: Buffer }>(
      'select media_type, content from registry_manifests where repository = $1 and digest = $2',
      [repository, candidate.digest],
    );
    const row = rows[0];
    if (
      row &&
      parseManifest(row.content, row.media_type).references.some((entry) => entry.digest === digest)
    ) {
      return candidate.digest;
    }
  }
  return null;
}
