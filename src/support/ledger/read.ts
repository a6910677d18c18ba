import { SlipwayError } from '../../kernel/errors.ts';
import type { EntryKind } from '../../kernel/event.ts';
import { sleep } from '../../platform/clock.ts';
import type { Queryable } from '../../platform/postgres/database.ts';

/** One entry as readers see it. */
export interface LedgerEntry {
  index: number;
  kind: EntryKind;
  /** RFC 3339, UTC. */
  at: string;
  actor: string;
  service: string | null;
  environment: string | null;
  subject: string;
  /** sha256 over 0x00 and the body, hex. */
  leafHash: string;
  /** The parsed body: an EntryBody, or a hashedrekord for `signature`. Null when it is not JSON (then verify names it). */
  body: Record<string, unknown> | null;
}

export interface EntryFilter {
  from?: number | undefined;
  /** At most 1,000; default 100. */
  limit?: number | undefined;
  subject?: string | undefined;
  service?: string | undefined;
  environment?: string | undefined;
  kind?: string | undefined;
  /** Newest first, from `from` downwards (default: the head). */
  descending?: boolean | undefined;
}

export const MAX_PAGE = 1_000;

interface Row {
  index: number;
  kind: EntryKind;
  at: Date;
  actor: string;
  service: string | null;
  environment: string | null;
  subject: string;
  leaf_hash: Buffer;
  body: Buffer;
}

const COLUMNS = 'index, kind, at, actor, service, environment, subject, leaf_hash, body';

/** Entries in index order. */
export async function readEntries(database: Queryable, filter: EntryFilter): Promise<LedgerEntry[]> {
  const values: unknown[] = [];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const conditions = ['true'];
  if (filter.from !== undefined)
    conditions.push(`index ${filter.descending ? '<=' : '>='} ${bind(filter.from)}`);
  for (const key of ['subject', 'service', 'environment', 'kind'] as const) {
    if (filter[key] !== undefined) conditions.push(`${key} = ${bind(filter[key])}`);
  }
  const limit = Math.min(filter.limit ?? 100, MAX_PAGE);
  const rows = await database.query<Row>(
    `select ${COLUMNS} from ledger_entries where ${conditions.join(' and ')}
     order by index ${filter.descending ? 'desc' : 'asc'} limit ${bind(limit)}`,
    values,
  );
  return rows.map(toEntry);
}

/** Error: `not_found`. */
export async function readEntry(database: Queryable, index: number): Promise<LedgerEntry> {
  const [row] = await database.query<Row>(`select ${COLUMNS} from ledger_entries where index = $1`, [index]);
  if (!row) throw new SlipwayError('not_found', `the ledger has no entry ${index}`);
  return toEntry(row);
}

function toEntry(row: Row): LedgerEntry {
  const { index, kind, at, actor, service, environment, subject } = row;
  return {
    index,
    kind,
    at: at.toISOString(),
    actor,
    service,
    environment,
    subject,
    leafHash: row.leaf_hash.toString('hex'),
    body: parseObject(row.body),
  };
}

export function parseObject(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

const FIRST_POLL_MS = 5;
const LAST_POLL_MS = 100;

/**
 * The index of an appended entry, once it is sequenced. Errors: `timeout` (no sequencer runs), `cancelled`, and
 * `not_found` when the id is neither pending nor sequenced (its transaction was rolled back).
 */
export async function waitForIndex(
  database: Queryable,
  pendingId: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LAST_POLL_MS)) {
    if (signal?.aborted) throw new SlipwayError('cancelled', 'no longer waiting for the ledger');
    const [row] = await database.query<{ index: number | null; pending: boolean }>(
      `select (select index from ledger_entries where pending_id = $1) as index,
              exists (select 1 from ledger_pending where id = $1) as pending`,
      [pendingId],
    );
    if (row?.index != null) return row.index;
    if (!row?.pending) throw new SlipwayError('not_found', `ledger entry ${pendingId} was never committed`);
    if (performance.now() >= deadline) {
      throw new SlipwayError('timeout', `the ledger did not take entry ${pendingId} within ${timeoutMs} ms`, {
        hint: 'Is a worker running? It sequences the ledger.',
      });
    }
    await sleep(pollMs, signal);
  }
}
