import { SlipwayError } from '../../kernel/errors.ts';
import type { Queryable, Transaction } from '../../platform/postgres/database.ts';
import { type Tile, type TileKey, tileKey } from './tiles.ts';

/** Stored bytes as they are; whether they are right is for `openCheckpoint` to say. */
export interface StoredCheckpoint {
  size: number;
  root: Buffer;
  note: string;
  signedAt: Date;
}

export async function latestCheckpoint(database: Queryable): Promise<StoredCheckpoint | null> {
  const [row] = await database.query<StoredCheckpoint>(
    'select size, root, note, signed_at as "signedAt" from ledger_checkpoints order by size desc limit 1',
  );
  return row ?? null;
}

/** The first checkpoint that covers an entry; null while the entry is not sequenced. Never changes once it exists. */
export async function coveringCheckpoint(
  database: Queryable,
  index: number,
): Promise<StoredCheckpoint | null> {
  const [row] = await database.query<StoredCheckpoint>(
    `select size, root, note, signed_at as "signedAt" from ledger_checkpoints where size > $1 order by size limit 1`,
    [index],
  );
  return row ?? null;
}

export async function checkpointOfSize(database: Queryable, size: number): Promise<StoredCheckpoint | null> {
  const [row] = await database.query<StoredCheckpoint>(
    'select size, root, note, signed_at as "signedAt" from ledger_checkpoints where size = $1',
    [size],
  );
  return row ?? null;
}

export async function loadTiles(
  database: Queryable,
  wanted: readonly { level: number; index: number }[],
): Promise<Map<TileKey, Buffer>> {
  const tiles = new Map<TileKey, Buffer>();
  if (wanted.length === 0) return tiles;
  const rows = await database.query<{ level: number; index: number; hashes: Buffer }>(
    `select level, index, hashes from ledger_tiles
     where (level, index) in (select * from unnest($1::smallint[], $2::bigint[]))`,
    [wanted.map((tile) => tile.level), wanted.map((tile) => tile.index)],
  );
  for (const row of rows) tiles.set(tileKey(row.level, row.index), row.hashes);
  return tiles;
}

export async function saveTiles(tx: Transaction, tiles: readonly Tile[]): Promise<void> {
  await tx.query(
    `insert into ledger_tiles (level, index, width, hashes)
     select * from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::bytea[])
     on conflict (level, index) do update set width = excluded.width, hashes = excluded.hashes`,
    [
      tiles.map((tile) => tile.level),
      tiles.map((tile) => tile.index),
      tiles.map((tile) => tile.width),
      tiles.map((tile) => tile.hashes),
    ],
  );
}

/** Runs `compute` over stored tiles; a tile that is absent or too short is tampering, and is named. */
export function overTiles<Result>(compute: () => Result): Result {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SlipwayError('tampered', `the ledger is damaged: ${error.message}`, {
      hint: 'Run: slipway ledger verify',
    });
  }
}
