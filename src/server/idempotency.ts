import { canonicalJson } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { json, type Queryable } from '../platform/postgres/database.ts';

export interface StoredAnswer {
  status: number;
  response: unknown;
}

const KEY_PATTERN = /^[\x21-\x7e]{1,128}$/;
/** A claim without an answer is from a request that died with its server; after this long the key may be used again. */
const ABANDONED_AFTER_MS = 60_000;

/**
 * Claims the key for this request. Returns the stored answer when the same request was made before; throws
 * `idempotency_mismatch` for another request under the key, `conflict` while the first is still running.
 */
export async function claimKey(
  database: Queryable,
  actor: string,
  key: string,
  request: { method: string; url: string; body: unknown },
  nowMs: number,
): Promise<StoredAnswer | null> {
  if (!KEY_PATTERN.test(key))
    throw new SlipwayError('usage', 'Idempotency-Key takes 1 to 128 printable characters without spaces');
  const hash = sha256(
    canonicalJson({ method: request.method, url: request.url, body: request.body ?? null }),
  );
  const now = new Date(nowMs);
  const claimed = await database.query(
    `insert into idempotency_keys (key, actor, request_hash, created_at) values ($1, $2, $3, $4)
     on conflict (actor, key) do update set created_at = excluded.created_at
       where idempotency_keys.status is null and idempotency_keys.request_hash = excluded.request_hash and idempotency_keys.created_at < $5
     returning key`,
    [key, actor, hash, now, new Date(nowMs - ABANDONED_AFTER_MS)],
  );
  if (claimed.length > 0) return null;
  const [row] = await database.query<{ request_hash: string; status: number | null; response: unknown }>(
    'select request_hash, status, response from idempotency_keys where actor = $1 and key = $2',
    [actor, key],
  );
  if (row === undefined)
    throw new SlipwayError('conflict', 'the request under this key has just failed; send it again');
  if (row.request_hash !== hash)
    throw new SlipwayError('idempotency_mismatch', 'this Idempotency-Key was used for another request');
  if (row.status === null) throw new SlipwayError('conflict', 'the request under this key is still running');
  return { status: row.status, response: row.response };
}

export async function storeAnswer(
  database: Queryable,
  actor: string,
  key: string,
  answer: StoredAnswer,
): Promise<void> {
  await database.query(
    'update idempotency_keys set status = $3, response = $4 where actor = $1 and key = $2',
    [actor, key, answer.status, json(answer.response ?? null)],
  );
}

/** A failed request leaves no trace: the caller may try again under the same key. */
export async function releaseKey(database: Queryable, actor: string, key: string): Promise<void> {
  await database.query('delete from idempotency_keys where actor = $1 and key = $2 and status is null', [
    actor,
    key,
  ]);
}
