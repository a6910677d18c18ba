import type { BlobStore } from '../../../platform/blobs/store.ts';
import type { Database } from '../../../platform/postgres/database.ts';

/** Uploads one caller may have open at a time. */
export const OPEN_UPLOADS_MAX = 1_000;
/** An upload nobody has touched for so long is dropped. */
const UPLOAD_IDLE_MS = 24 * 3_600_000;

/** Notes an upload; false when the caller has too many open. */
export async function recordUpload(
  database: Database,
  upload: { id: string; repository: string; actor: string; nowMs: number },
): Promise<boolean> {
  const rows = await database.query(
    `insert into registry_uploads (id, repository, offset_bytes, started_by, started_at, touched_at)
     select $1, $2, 0, $3, $4, $4
     where (select count(*) from registry_uploads where started_by = $3) < $5 returning id`,
    [upload.id, upload.repository, upload.actor, new Date(upload.nowMs), OPEN_UPLOADS_MAX],
  );
  return rows.length > 0;
}

/** True when this caller began that upload in that repository. */
export async function ownsUpload(
  database: Database,
  upload: { id: string; repository: string; actor: string },
): Promise<boolean> {
  const rows = await database.query(
    'select 1 from registry_uploads where id = $1 and repository = $2 and started_by = $3',
    [upload.id, upload.repository, upload.actor],
  );
  return rows.length > 0;
}

/** For people and for the sweep: the file's size is what counts. */
export async function touchUpload(
  database: Database,
  id: string,
  offset: number,
  nowMs: number,
): Promise<void> {
  await database.query('update registry_uploads set offset_bytes = $2, touched_at = $3 where id = $1', [
    id,
    offset,
    new Date(nowMs),
  ]);
}

export async function forgetUpload(database: Database, id: string): Promise<void> {
  await database.query('delete from registry_uploads where id = $1', [id]);
}

/** Drops uploads nobody has touched for UPLOAD_IDLE_MS: rows first, then files, also those that never had a row. */
export async function sweepUploads(database: Database, blobs: BlobStore, nowMs: number): Promise<number> {
  const beforeMs = nowMs - UPLOAD_IDLE_MS;
  await database.query('delete from registry_uploads where touched_at < $1', [new Date(beforeMs)]);
  return blobs.sweep(beforeMs);
}
