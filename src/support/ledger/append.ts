import { canonicalJson } from '../../kernel/canonical.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { ENTRY_KINDS, type EntryBody } from '../../kernel/event.ts';
import type { Transaction } from '../../platform/postgres/database.ts';
import { keyActor, parseHashedrekord } from './hashedrekord.ts';

/** tlog-tiles gives an entry two bytes of length. */
export const MAX_BODY_BYTES = 65_535;

/** The sequencer listens here. */
export const APPENDED_CHANNEL = 'ledger';

export interface NewEntry {
  kind: EntryBody['kind'];
  atMs: number;
  actor: string;
  service?: string | undefined;
  environment?: string | undefined;
  /** The thing the entry is about: an id or a digest. */
  subject: string;
  data: Readonly<Record<string, unknown>>;
}

/**
 * Puts an entry into the ledger in the transaction of the change it records: both happen or neither. Returns the pending
 * id, for `waitForIndex`. Errors: `payload_too_large`, `invalid_input`.
 */
export async function append(tx: Transaction, entry: NewEntry): Promise<number> {
  const [id] = await appendAll(tx, [entry]);
  return id as number;
}

/** Many at once, in this order. */
export async function appendAll(tx: Transaction, entries: readonly NewEntry[]): Promise<number[]> {
  return await insertPending(tx, entries.map(pendingRow));
}

/**
 * Puts a signature into the ledger. The body is a hashedrekord (see `hashedrekordBody`); subject (the digest of what was
 * signed) and actor (the key's fingerprint) follow from it, and its time is that of the checkpoint that first covers it.
 */
export async function appendSignature(
  tx: Transaction,
  entry: { atMs: number; body: Buffer },
): Promise<number> {
  const parsed = parseHashedrekord(entry.body);
  if (!parsed)
    throw new SlipwayError('invalid_input', 'the body of a signature entry is no hashedrekord 0.0.2');
  const row = {
    kind: 'signature',
    service: null,
    environment: null,
    subject: parsed.signedDigest,
    actor: keyActor(parsed.spkiDer),
    at: new Date(entry.atMs).toISOString(),
    body: entry.body,
  };
  const [id] = await insertPending(tx, [row]);
  return id as number;
}

interface PendingRow {
  kind: string;
  service: string | null;
  environment: string | null;
  subject: string;
  actor: string;
  at: string;
  body: Buffer;
}

const KINDS: ReadonlySet<string> = new Set(ENTRY_KINDS);

function pendingRow(entry: NewEntry): PendingRow {
  if (!KINDS.has(entry.kind) || (entry.kind as string) === 'signature') {
    throw new SlipwayError('invalid_input', `${entry.kind} is no kind of ledger entry that append writes`);
  }
  const at = new Date(entry.atMs).toISOString();
  const { kind, actor, service, environment, subject, data } = entry;
  const value: EntryBody = {
    kind,
    at,
    actor,
    ...(service === undefined ? {} : { service }),
    ...(environment === undefined ? {} : { environment }),
    subject,
    data,
  };
  const body = Buffer.from(canonicalJson(value));
  if (body.length > MAX_BODY_BYTES) {
    throw new SlipwayError(
      'payload_too_large',
      `a ${kind} entry of ${body.length} bytes; the ledger takes ${MAX_BODY_BYTES}`,
      {
        hint: 'Put the document into the artifact store and its digest into the entry.',
      },
    );
  }
  return { kind, service: service ?? null, environment: environment ?? null, subject, actor, at, body };
}

async function insertPending(tx: Transaction, rows: readonly PendingRow[]): Promise<number[]> {
  if (rows.length === 0) return [];
  const column = <Key extends keyof PendingRow>(key: Key) => rows.map((row) => row[key]);
  const inserted = await tx.query<{ id: number }>(
    `insert into ledger_pending (kind, service, environment, subject, actor, at, body)
     select kind, service, environment, subject, actor, at, body
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[])
       with ordinality as entry (kind, service, environment, subject, actor, at, body, position)
     order by position
     returning id`,
    [
      column('kind'),
      column('service'),
      column('environment'),
      column('subject'),
      column('actor'),
      column('at'),
      column('body'),
    ],
  );
  await tx.query(`select pg_notify('${APPENDED_CHANNEL}', '')`);
  return inserted.map((row) => row.id).sort((a, b) => a - b);
}
