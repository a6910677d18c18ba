import { canonicalJson } from '../../kernel/canonical.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { Queryable, Transaction } from '../../platform/postgres/database.ts';
import { append } from '../../support/ledger/append.ts';
import { keyActor, parseHashedrekord } from '../../support/ledger/hashedrekord.ts';

/** A signature that stands in the ledger or waits for it. */
export interface RecordedSignature {
  pendingId: number;
  signature: Buffer;
}

/** The first signature by this key over what has this digest. */
export async function findSignature(
  database: Queryable,
  signedDigest: Digest,
  spkiDer: Buffer,
): Promise<RecordedSignature | null> {
  const rows = await database.query<{ id: number; body: Buffer }>(
    `select pending_id as id, body from ledger_entries where subject = $1 and kind = 'signature' and actor = $2
     union all
     select id, body from ledger_pending where subject = $1 and kind = 'signature' and actor = $2
     order by id limit 1`,
    [signedDigest, keyActor(spkiDer)],
  );
  const [row] = rows;
  const entry = row && parseHashedrekord(row.body);
  return entry ? { pendingId: row.id, signature: entry.signature } : null;
}

/** Serializes those who want to sign the same thing, until their transaction ends. */
export async function lockSigning(tx: Transaction, signedDigest: Digest): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7220613))', [signedDigest]);
}

export interface AttachedEntry {
  service: string;
  environment?: string | undefined;
  atMs: number;
  actor: string;
  artifact: Digest;
  data: { referrer: Digest; predicateType: string; statement: Digest; key: string; ledgerIndex: number };
}

/** Says in the ledger that evidence hangs on an artifact; saying it again changes nothing. */
export async function recordAttached(tx: Transaction, entry: AttachedEntry): Promise<void> {
  const { referrer } = entry.data;
  await lockSigning(tx, referrer);
  const needle = canonicalJson({ referrer }).slice(1, -1);
  const [known] = await tx.query(
    `select 1 from ledger_entries
       where subject = $1 and kind = 'evidence.attached' and position(convert_to($2, 'utf8') in body) > 0
     union all
     select 1 from ledger_pending
       where subject = $1 and kind = 'evidence.attached' and position(convert_to($2, 'utf8') in body) > 0
     limit 1`,
    [entry.artifact, needle],
  );
  if (known) return;
  const { service, environment, atMs, actor, artifact, data } = entry;
  await append(tx, { kind: 'evidence.attached', atMs, actor, service, environment, subject: artifact, data });
}
