import type { Queryable } from '../../../platform/postgres/database.ts';
import { HASH_BYTES } from '../merkle.ts';
import { foldPerfect, levelWidth, TILE_WIDTH } from '../tiles.ts';
import type { Findings } from './report.ts';

const PAGE = 64;

interface TileRow {
  level: number;
  index: number;
  width: number;
  hashes: Buffer;
}

/**
 * Every tile above the leaves must hold the roots of the tiles below it, and there must be exactly the tiles that a log
 * of `size` entries has. The leaf tiles themselves are compared with the entries elsewhere.
 */
export async function judgeTiles(database: Queryable, size: number, findings: Findings): Promise<void> {
  let level = 0;
  for (; levelWidth(size, level) > 0; level++) await judgeLevel(database, size, level, findings);
  const extra = await database.query<{ level: number; index: number }>(
    'select level, index from ledger_tiles where level >= $1 or level < 0 order by level, index limit 100',
    [level],
  );
  for (const tile of extra)
    findings.add('tile', `${tile.level}/${tile.index}`, 'no log of this size has such a tile');
}

async function judgeLevel(
  database: Queryable,
  size: number,
  level: number,
  findings: Findings,
): Promise<void> {
  const count = levelWidth(size, level);
  const tileCount = Math.ceil(count / TILE_WIDTH);
  let expected = 0;
  for await (const row of tilesOfLevel(database, level)) {
    for (; expected < row.index && expected < tileCount; expected++) {
      findings.add('tile', `${level}/${expected}`, 'the tile is missing');
    }
    const name = `${level}/${row.index}`;
    if (row.index !== expected || expected >= tileCount) {
      findings.add('tile', name, 'no log of this size has such a tile');
      continue;
    }
    expected += 1;
    const width = Math.min(TILE_WIDTH, count - row.index * TILE_WIDTH);
    if (row.width !== width) findings.add('tile', name, `its width is ${row.width}, and should be ${width}`);
    else if (row.hashes.length !== width * HASH_BYTES)
      findings.add('tile', name, 'its hashes do not fit its width');
    else if (level > 0) await compareWithBelow(database, row, findings);
  }
  for (; expected < tileCount; expected++)
    findings.add('tile', `${level}/${expected}`, 'the tile is missing');
}

async function compareWithBelow(database: Queryable, tile: TileRow, findings: Findings): Promise<void> {
  const first = tile.index * TILE_WIDTH;
  const below = await database.query<TileRow>(
    'select level, index, width, hashes from ledger_tiles where level = $1 and index >= $2 and index < $3',
    [tile.level - 1, first, first + tile.width],
  );
  for (const row of below) {
    // A tile below that is wrong itself was named already; blaming this one too would hide where it is.
    const named = findings.has('tile', `${row.level}/${row.index}`);
    if (named || row.hashes.length !== TILE_WIDTH * HASH_BYTES) continue;
    const at = (row.index - first) * HASH_BYTES;
    if (!foldPerfect(row.hashes).equals(tile.hashes.subarray(at, at + HASH_BYTES))) {
      findings.add(
        'tile',
        `${tile.level}/${tile.index}`,
        `it does not hold the root of tile ${row.level}/${row.index}`,
      );
    }
  }
}

async function* tilesOfLevel(database: Queryable, level: number): AsyncGenerator<TileRow> {
  let after = -(2 ** 52);
  for (;;) {
    const rows = await database.query<TileRow>(
      `select level, index, width, hashes from ledger_tiles where level = $1 and index > $2 order by index limit ${PAGE}`,
      [level, after],
    );
    yield* rows;
    if (rows.length < PAGE) return;
    after = rows.at(-1)?.index ?? after;
  }
}
