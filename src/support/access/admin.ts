import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { writeDurably } from '../../platform/durable.ts';
import type { Database } from '../../platform/postgres/database.ts';
import type { AppendEntry } from './entry.ts';
import { findToken, insertToken, revokeToken } from './store.ts';
import { mintToken, parseToken, sameHash } from './token.ts';

/** The name is reserved: no other token can have it. */
export const ADMIN_TOKEN_NAME = 'admin';
const ADMIN = { name: ADMIN_TOKEN_NAME, roles: ['admin'] };
/** Any number; servers that start together agree on it. */
const ADMIN_LOCK = 7_220_620;
const MAX_TOKEN_FILE = 1024;

/**
 * The local administrator's token, in `file` (mode 0600): kept when the file holds a valid one, else made anew; the one a
 * lost or stolen file held is revoked by deleting the file and starting again. Returns the token.
 */
export async function ensureAdminToken(
  database: Database,
  file: string,
  clock: Clock,
  append: AppendEntry = async () => undefined,
): Promise<string> {
  return database.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1)', [ADMIN_LOCK]);
    const held = await readToken(file);
    const parsed = held === null ? null : parseToken(held);
    if (held !== null && parsed) {
      const row = await findToken(tx, parsed.id);
      const valid = row && row.revokedAtMs === null && sameHash(row.secretHash, parsed.secretHash);
      if (valid && row.roles.includes('admin')) return held;
    }
    const atMs = clock.nowMs();
    const actor = 'system:server';
    const old = await tx.query<{ id: string }>(
      'select id from tokens where name = $1 and revoked_at is null',
      [ADMIN.name],
    );
    for (const { id } of old) {
      await revokeToken(tx, id, atMs);
      await append(tx, { kind: 'token.revoked', atMs, actor, subject: id, data: { name: ADMIN.name } });
    }
    const minted = mintToken(clock);
    await insertToken(tx, { ...ADMIN, ...minted, createdAtMs: atMs, expiresAtMs: null });
    const data = { name: ADMIN.name, roles: ADMIN.roles };
    await append(tx, { kind: 'token.created', atMs, actor, subject: minted.id, data });
    // Before the commit: a token in the file that the database never got is replaced on the next start.
    await writeDurably(file, `${minted.token}\n`, 0o600);
    return minted.token;
  });
}

async function readToken(file: string): Promise<string | null> {
  const found = await stat(file).catch(() => null);
  if (!found?.isFile() || found.size > MAX_TOKEN_FILE) return null;
  return (await readFile(file, 'utf8')).trim();
}
