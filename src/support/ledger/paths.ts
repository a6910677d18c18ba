import { EMPTY_ROOT, HASH_BYTES, nodeHash, splitPoint } from './merkle.ts';
import { foldPerfect, readTile, TILE_WIDTH, type TileKey } from './tiles.ts';

/** The leaves [start, end) whose subtree root is wanted. */
export interface Range {
  start: number;
  end: number;
}

/** RFC 6962 section 2.1.1: the siblings from the leaf up to the root, nearest first. */
export function inclusionPath(index: number, size: number): Range[] {
  const path: Range[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
    }
  }
  return path.reverse();
}

/** RFC 6962 section 2.1.2. Empty when `from` is 0 or `to`. */
export function consistencyPath(from: number, to: number): Range[] {
  if (from === 0 || from === to) return [];
  const path: Range[] = [];
  let [start, end, whole] = [0, to, true];
  while (from !== end) {
    const middle = start + splitPoint(end - start);
    if (from <= middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      [start, whole] = [middle, false];
    }
  }
  // The old tree itself is not sent where the verifier holds its root already.
  if (!whole) path.push({ start, end });
  return path.reverse();
}

/** The perfect aligned subtrees a range consists of, left to right: `level` k covers 2^k leaves from `index` * 2^k. */
export function perfectParts(range: Range): { height: number; index: number }[] {
  const parts: { height: number; index: number }[] = [];
  let start = range.start;
  while (start < range.end) {
    let height = 0;
    while (start % 2 ** (height + 1) === 0 && start + 2 ** (height + 1) <= range.end) height += 1;
    parts.push({ height, index: start / 2 ** height });
    start += 2 ** height;
  }
  return parts;
}

/** Where the hash of a perfect subtree is found: `width` hashes of a tile, from `offset`. */
export function tilePosition(
  height: number,
  index: number,
): { level: number; tile: number; offset: number; width: number } {
  const level = Math.floor(height / 8);
  const width = 2 ** (height % 8);
  const first = index * width;
  return { level, tile: Math.floor(first / TILE_WIDTH), offset: first % TILE_WIDTH, width };
}

/** The tiles that hashing these ranges reads. */
export function tilesOf(ranges: readonly Range[]): { level: number; index: number }[] {
  const wanted = new Map<TileKey, { level: number; index: number }>();
  for (const part of ranges.flatMap(perfectParts)) {
    const { level, tile } = tilePosition(part.height, part.index);
    wanted.set(`${level}/${tile}`, { level, index: tile });
  }
  return [...wanted.values()];
}

/** The RFC 6962 root over a range that begins at a subtree border. Throws RangeError when a tile is absent or short. */
export function hashRange(tiles: ReadonlyMap<TileKey, Buffer>, range: Range): Buffer {
  const parts = perfectParts(range);
  if (parts.length === 0) return EMPTY_ROOT;
  return parts
    .map(({ height, index }) => {
      const { level, tile, offset, width } = tilePosition(height, index);
      const hashes = readTile(tiles, level, tile, offset + width);
      return foldPerfect(hashes.subarray(offset * HASH_BYTES));
    })
    .reduceRight((right, left) => nodeHash(left, right));
}
