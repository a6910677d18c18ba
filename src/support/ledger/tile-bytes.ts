import type { Queryable } from '../../platform/postgres/database.ts';
import { HASH_BYTES } from './merkle.ts';
import { latestCheckpoint, loadTiles } from './store.ts';
import { levelWidth, TILE_WIDTH, tileKey } from './tiles.ts';

/**
 * The bytes C2SP tlog-tiles gives a path: `width` hashes, or for `entries` each body after its length in two bytes, big
 * endian. Null when the signed log has no such tile; a full tile also answers for its narrower versions.
 */
export async function serveTile(
  database: Queryable,
  tile: { level: number | 'entries'; index: number; width: number },
): Promise<Buffer | null> {
  const level = tile.level === 'entries' ? 0 : tile.level;
  const size = (await latestCheckpoint(database))?.size ?? 0;
  if (tile.index * TILE_WIDTH + tile.width > levelWidth(size, level)) return null;
  if (tile.level === 'entries') return await serveEntries(database, tile.index * TILE_WIDTH, tile.width);
  const tiles = await loadTiles(database, [{ level, index: tile.index }]);
  const hashes = tiles.get(tileKey(level, tile.index))?.subarray(0, tile.width * HASH_BYTES);
  return hashes?.length === tile.width * HASH_BYTES ? hashes : null;
}

async function serveEntries(database: Queryable, first: number, width: number): Promise<Buffer | null> {
  const rows = await database.query<{ body: Buffer }>(
    'select body from ledger_entries where index >= $1 and index < $2 order by index',
    [first, first + width],
  );
  if (rows.length !== width) return null;
  return Buffer.concat(
    rows.flatMap(({ body }) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(body.length);
      return [length, body];
    }),
  );
}
