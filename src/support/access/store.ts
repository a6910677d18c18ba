import type { Queryable, Transaction } from '../../platform/postgres/database.ts';

export interface TokenRow {
  id: string;
  name: string;
  roles: string[];
  createdAtMs: number;
  expiresAtMs: number | null;
  revokedAtMs: number | null;
}

interface Raw {
  id: string;
  name: string;
  secret_hash: string;
  roles: string[];
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

function toRow(raw: Raw): TokenRow {
  return {
    id: raw.id,
    name: raw.name,
    roles: raw.roles,
    createdAtMs: raw.created_at.getTime(),
    expiresAtMs: raw.expires_at?.getTime() ?? null,
    revokedAtMs: raw.revoked_at?.getTime() ?? null,
  };
}

export async function findToken(
  sql: Queryable,
  id: string,
): Promise<(TokenRow & { secretHash: string }) | null> {
  const [raw] = await sql.query<Raw>('select * from tokens where id = $1', [id]);
  return raw ? { ...toRow(raw), secretHash: raw.secret_hash } : null;
}

export async function insertToken(
  tx: Transaction,
  token: Omit<TokenRow, 'revokedAtMs'> & { secretHash: string },
): Promise<void> {
  await tx.query(
    'insert into tokens (id, name, secret_hash, roles, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)',
    [
      token.id,
      token.name,
      token.secretHash,
      token.roles,
      new Date(token.createdAtMs),
      token.expiresAtMs === null ? null : new Date(token.expiresAtMs),
    ],
  );
}

/** The newest first, without secrets. */
export async function listTokens(sql: Queryable, limit: number): Promise<TokenRow[]> {
  return (
    await sql.query<Raw>('select * from tokens order by created_at desc, id desc limit $1', [limit])
  ).map(toRow);
}

/** False when it was revoked before or does not exist. */
export async function revokeToken(tx: Transaction, id: string, nowMs: number): Promise<boolean> {
  const rows = await tx.query(
    'update tokens set revoked_at = $2 where id = $1 and revoked_at is null returning id',
    [id, new Date(nowMs)],
  );
  return rows.length > 0;
}
