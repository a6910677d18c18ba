import { canonicalJson } from '../../../kernel/canonical.ts';
import { ENTRY_KINDS } from '../../../kernel/event.ts';
import { MAX_BODY_BYTES } from '../append.ts';
import { keyActor, parseHashedrekord } from '../hashedrekord.ts';
import { parseObject } from '../read.ts';

/** An entry's row as stored, times as RFC 3339 with microseconds. */
export interface EntryRow {
  index: number;
  pending_id: number;
  kind: string;
  service: string | null;
  environment: string | null;
  subject: string;
  actor: string;
  at: string;
  body: Buffer;
  leaf_hash: Buffer;
}

const KINDS: ReadonlySet<string> = new Set(ENTRY_KINDS);

/**
 * The columns readers filter by must say what the hashed body says. `coveredAt` is the time of the first checkpoint over
 * the entry: that of a signature entry. Null when all fits.
 */
export function entryProblem(row: EntryRow, coveredAt: string | null): string | null {
  if (row.body.length > MAX_BODY_BYTES) return 'its body is longer than an entry may be';
  if (!KINDS.has(row.kind)) return 'its kind is none that the ledger knows';
  if (row.kind === 'signature') return signatureProblem(row, coveredAt);
  const body = parseObject(row.body);
  if (!body || canonical(body) !== row.body.toString('utf8')) return 'its body is not canonical JSON';
  for (const key of ['kind', 'actor', 'service', 'environment', 'subject'] as const) {
    if ((body[key] ?? null) !== row[key]) return `its column ${key} differs from its body`;
  }
  if (typeof body.at !== 'string' || microseconds(body.at) !== row.at)
    return 'its column at differs from its body';
  return null;
}

function signatureProblem(row: EntryRow, coveredAt: string | null): string | null {
  const entry = parseHashedrekord(row.body);
  if (!entry) return 'its body is no hashedrekord';
  if (row.subject !== entry.signedDigest) return 'its column subject differs from its body';
  if (row.actor !== keyActor(entry.spkiDer)) return 'its column actor differs from its body';
  if (row.service !== null || row.environment !== null)
    return 'it has a service or environment, which no signature has';
  if (coveredAt !== null && row.at !== microseconds(coveredAt))
    return 'its time is not that of its checkpoint';
  return null;
}

function canonical(value: unknown): string | null {
  try {
    return canonicalJson(value);
  } catch {
    return null;
  }
}

/** `2026-01-01T00:00:00.123Z` as PostgreSQL is asked to write it. */
export function microseconds(at: string): string {
  return at.replace(/Z$/, '000Z');
}
