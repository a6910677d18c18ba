import type { Digest } from '../../../kernel/digest.ts';
import type { Database, Transaction } from '../../../platform/postgres/database.ts';
import type { RegistryDeps } from '../deps.ts';
import { lockForDelete } from './locks.ts';
import { manifestNaming } from './naming.ts';

export interface Deletion {
  repository: string;
  actor: string;
  nowMs: number;
  append: RegistryDeps['append'];
}

/** False when there is no such tag. The manifest stays. */
export function deleteTag(database: Database, deletion: Deletion, tag: string): Promise<boolean> {
  return database.transaction(async (tx) => {
    await lockForDelete(tx, deletion.repository);
    const rows = await tx.query<{ tag: string; digest: Digest }>(
      'delete from registry_tags where repository = $1 and tag = $2 returning tag, digest',
      [deletion.repository, tag],
    );
    await record(tx, deletion, rows);
    return rows.length > 0;
  });
}

export type ManifestDeletion =
  | { kind: 'deleted' }
  | { kind: 'absent' }
  | { kind: 'referenced'; referencedBy: Digest };

/** Deletes a manifest and the tags that name it, unless an index of the repository needs it. */
export function deleteManifest(
  database: Database,
  deletion: Deletion,
  digest: Digest,
): Promise<ManifestDeletion> {
  const { repository } = deletion;
  return database.transaction(async (tx): Promise<ManifestDeletion> => {
    await lockForDelete(tx, repository);
    const found = await tx.query('select 1 from registry_manifests where repository = $1 and digest = $2', [
      repository,
      digest,
    ]);
    if (found.length === 0) return { kind: 'absent' };
    const referencedBy = await manifestNaming(tx, repository, digest);
    if (referencedBy) return { kind: 'referenced', referencedBy };
    const rows = await tx.query<{ tag: string; digest: Digest }>(
      'delete from registry_tags where repository = $1 and digest = $2 returning tag, digest',
      [repository, digest],
    );
    await record(tx, deletion, rows);
    await tx.query('delete from registry_manifests where repository = $1 and digest = $2', [
      repository,
      digest,
    ]);
    return { kind: 'deleted' };
  });
}

async function record(
  tx: Transaction,
  deletion: Deletion,
  rows: { tag: string; digest: Digest }[],
): Promise<void> {
  for (const { tag, digest } of rows) {
    await deletion.append(tx, {
      kind: 'tag.deleted',
      subject: digest,
      actor: deletion.actor,
      atMs: deletion.nowMs,
      data: { repository: deletion.repository, tag },
    });
  }
}
