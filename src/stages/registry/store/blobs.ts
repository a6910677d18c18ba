import type { Digest } from '../../../kernel/digest.ts';
import type { BlobStore, StoredBlob } from '../../../platform/blobs/store.ts';
import type { Database, Transaction } from '../../../platform/postgres/database.ts';
import { lockDigest, lockForDelete } from './locks.ts';
import { manifestNaming } from './naming.ts';
import { readPrepared } from './prepared.ts';

/** Size of a blob of this repository, or null. */
export async function blobSize(
  database: Database,
  repository: string,
  digest: Digest,
): Promise<number | null> {
  const rows = await readPrepared<{ size: number }>(
    database,
    'registry_blob_size',
    `select b.size_bytes as size from registry_repository_blobs r join registry_blobs b using (digest)
     where r.repository = $1 and r.digest = $2`,
    [repository, digest],
  );
  return rows[0]?.size ?? null;
}

/**
 * Makes an upload a blob of the repository. The bytes are sealed (checked and on the disk) before; here the file moves to
 * its digest and then the rows say so, under the lock of the digest, so that no delete comes between. A crash after
 * the move leaves a file without a row, which nobody sees and the next push of those bytes takes over.
 */
export async function commitBlob(
  database: Database,
  blobs: BlobStore,
  blob: { uploadId: string; repository: string; digest: Digest; nowMs: number },
): Promise<StoredBlob> {
  await blobs.seal(blob.uploadId, blob.digest);
  return database.transaction(async (tx) => {
    await lockDigest(tx, blob.digest);
    const stored = await blobs.commit(blob.uploadId, blob.digest);
    await tx.query(
      'insert into registry_blobs (digest, size_bytes, stored_at) values ($1, $2, $3) on conflict do nothing',
      [blob.digest, stored.size, new Date(blob.nowMs)],
    );
    await linkBlob(tx, blob.repository, blob.digest);
    await tx.query('delete from registry_uploads where id = $1', [blob.uploadId]);
    return stored;
  });
}

async function linkBlob(tx: Transaction, repository: string, digest: Digest): Promise<void> {
  await tx.query(
    'insert into registry_repository_blobs (repository, digest) values ($1, $2) on conflict do nothing',
    [repository, digest],
  );
}

/** Makes a blob of one repository a blob of another too; false when the first has none such. */
export function mountBlob(database: Database, from: string, to: string, digest: Digest): Promise<boolean> {
  return database.transaction(async (tx) => {
    await lockDigest(tx, digest);
    const rows = await tx.query(
      'select 1 from registry_repository_blobs where repository = $1 and digest = $2',
      [from, digest],
    );
    if (rows.length === 0) return false;
    await linkBlob(tx, to, digest);
    return true;
  });
}

/** `referencedBy`: the digest of a manifest of the repository that needs the blob; nothing was deleted. */
export type BlobDeletion =
  | { kind: 'deleted' }
  | { kind: 'absent' }
  | { kind: 'referenced'; referencedBy: Digest };

/** Takes a blob out of a repository, and its file from the store when it was the last repository to have it. */
export async function deleteBlob(
  database: Database,
  blobs: BlobStore,
  repository: string,
  digest: Digest,
): Promise<BlobDeletion> {
  const outcome = await database.transaction(async (tx): Promise<BlobDeletion> => {
    await lockForDelete(tx, repository);
    await lockDigest(tx, digest);
    const link = await tx.query(
      'select 1 from registry_repository_blobs where repository = $1 and digest = $2',
      [repository, digest],
    );
    if (link.length === 0) return { kind: 'absent' };
    const referencedBy = await manifestNaming(tx, repository, digest);
    if (referencedBy) return { kind: 'referenced', referencedBy };
    await tx.query('delete from registry_repository_blobs where repository = $1 and digest = $2', [
      repository,
      digest,
    ]);
    await tx.query(
      `delete from registry_blobs b where digest = $1
       and not exists (select 1 from registry_repository_blobs r where r.digest = b.digest)`,
      [digest],
    );
    return { kind: 'deleted' };
  });
  if (outcome.kind === 'deleted') await dropUnownedFile(database, blobs, digest);
  return outcome;
}

/** After the rows are gone for good: a crash in between leaves a file nobody sees; a push in between keeps it. */
async function dropUnownedFile(database: Database, blobs: BlobStore, digest: Digest): Promise<void> {
  await database.transaction(async (tx) => {
    await lockDigest(tx, digest);
    const owned = await tx.query('select 1 from registry_blobs where digest = $1', [digest]);
    if (owned.length === 0) await blobs.delete(digest);
  });
}
