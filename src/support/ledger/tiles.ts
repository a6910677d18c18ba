import { HASH_BYTES, nodeHash } from './merkle.ts';

/** C2SP tlog-tiles: height 8, so a full tile holds 256 hashes and its root is one hash of the tile above. */
export const TILE_WIDTH = 256;

export interface Tile {
  level: number;
  index: number;
  /** Number of hashes, 1 to 256. */
  width: number;
  hashes: Buffer;
}

/** `level/index` as a key of a Map. */
export type TileKey = `${number}/${number}`;

export function tileKey(level: number, index: number): TileKey {
  return `${level}/${index}`;
}

/** How many hashes stand in one level of a tree of `size` leaves. */
export function levelWidth(size: number, level: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** The partial tiles at the right edge of a tree of `size` leaves: all that appending needs. */
export function rightEdge(size: number): { level: number; index: number; width: number }[] {
  const edge: { level: number; index: number; width: number }[] = [];
  for (let level = 0; levelWidth(size, level) > 0; level++) {
    const count = levelWidth(size, level);
    const width = count % TILE_WIDTH;
    if (width > 0) edge.push({ level, index: Math.floor(count / TILE_WIDTH), width });
  }
  return edge;
}

/**
 * The tiles that are new or wider after `leaves` are appended to a tree of `size`. `edge` holds the right edge's tiles;
 * a tile there may be wider than its size says, the surplus is cut.
 */
export function appendToTiles(
  size: number,
  edge: ReadonlyMap<TileKey, Buffer>,
  leaves: readonly Buffer[],
): Tile[] {
  const tiles: Tile[] = [];
  let incoming: readonly Buffer[] = leaves;
  for (let level = 0; incoming.length > 0; level++) {
    const start = levelWidth(size, level);
    let index = Math.floor(start / TILE_WIDTH);
    const offset = start % TILE_WIDTH;
    const partial = offset === 0 ? Buffer.alloc(0) : readTile(edge, level, index, offset);
    const above: Buffer[] = [];
    let held: Buffer[] = offset === 0 ? [] : [partial];
    let width = offset;
    for (const hash of incoming) {
      held.push(hash);
      width += 1;
      if (width < TILE_WIDTH) continue;
      const hashes = Buffer.concat(held);
      tiles.push({ level, index, width, hashes });
      above.push(foldPerfect(hashes));
      [held, width] = [[], 0];
      index += 1;
    }
    if (width > 0) tiles.push({ level, index, width, hashes: Buffer.concat(held) });
    incoming = above;
  }
  return tiles;
}

/** The first `width` hashes of a tile. Throws RangeError when the tile is absent or too short. */
export function readTile(
  tiles: ReadonlyMap<TileKey, Buffer>,
  level: number,
  index: number,
  width: number,
): Buffer {
  const hashes = tiles.get(tileKey(level, index));
  if (hashes === undefined || hashes.length < width * HASH_BYTES) {
    throw new RangeError(`tile ${level}/${index} does not hold ${width} hashes`);
  }
  return hashes.subarray(0, width * HASH_BYTES);
}

/** The root over 2^k concatenated hashes. */
export function foldPerfect(hashes: Buffer): Buffer {
  let row = hashes;
  while (row.length > HASH_BYTES) {
    const next = Buffer.allocUnsafe(row.length / 2);
    for (let at = 0; at < next.length; at += HASH_BYTES) {
      const left = row.subarray(at * 2, at * 2 + HASH_BYTES);
      nodeHash(left, row.subarray(at * 2 + HASH_BYTES, at * 2 + 2 * HASH_BYTES)).copy(next, at);
    }
    row = next;
  }
  return row;
}

/** `x001/x234/067`: the index in a tile's path, three digits an element. */
export function tileIndexPath(index: number): string {
  const groups = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return groups.join('/');
}

const TILE_PATH = /^(entries|[0-9]|[1-5][0-9]|6[0-3])\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** Reads `<level>/<index>[.p/<width>]` or `entries/<index>[.p/<width>]`; null for anything not written exactly so. */
export function parseTilePath(
  path: string,
): { level: number | 'entries'; index: number; width: number } | null {
  const match = TILE_PATH.exec(path);
  if (!match) return null;
  const index = Number((match[2] as string).replaceAll(/[x/]/g, ''));
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
  const canonical = tileIndexPath(index) === match[2] && (match[3] === undefined || width < TILE_WIDTH);
  if (!canonical) return null;
  return { level: match[1] === 'entries' ? 'entries' : Number(match[1]), index, width };
}
