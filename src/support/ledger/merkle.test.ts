import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  appendLeaf,
  EMPTY_ROOT,
  emptyTree,
  leafHash,
  nodeHash,
  rootOf,
  splitPoint,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';
import { consistencyPath, hashRange, inclusionPath, tilesOf } from './paths.ts';
import {
  appendToTiles,
  parseTilePath,
  rightEdge,
  type Tile,
  type TileKey,
  tileIndexPath,
  tileKey,
} from './tiles.ts';

/** RFC 6962 written down word for word: slow and plainly right. */
function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0] as Buffer;
  const k = splitPoint(leaves.length);
  return nodeHash(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

function naivePath(m: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const k = splitPoint(leaves.length);
  if (m < k) return [...naivePath(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))];
  return [...naivePath(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}

function naiveSubproof(m: number, leaves: readonly Buffer[], whole: boolean): Buffer[] {
  if (m === leaves.length) return whole ? [] : [naiveRoot(leaves)];
  const k = splitPoint(leaves.length);
  if (m <= k) return [...naiveSubproof(m, leaves.slice(0, k), whole), naiveRoot(leaves.slice(k))];
  return [...naiveSubproof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));

/** A log grown in batches through the tile code. */
function grow(batches: readonly number[]): { size: number; leaves: Buffer[]; tiles: Map<TileKey, Buffer> } {
  const leaves = leavesOf(batches.reduce((sum, n) => sum + n, 0));
  const tiles = new Map<TileKey, Buffer>();
  let size = 0;
  for (const count of batches) {
    for (const tile of appendToTiles(size, tiles, leaves.slice(size, size + count))) store(tiles, tile);
    size += count;
  }
  return { size, leaves, tiles };
}

function store(tiles: Map<TileKey, Buffer>, tile: Tile): void {
  assert.equal(tile.hashes.length, tile.width * 32);
  tiles.set(tileKey(tile.level, tile.index), tile.hashes);
}

test('known vectors of RFC 6962 logs', () => {
  assert.equal(
    EMPTY_ROOT.toString('hex'),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  assert.equal(
    leafHash(Buffer.alloc(0)).toString('hex'),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
  // The eight-leaf tree of the certificate-transparency reference tests.
  const inputs = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const root = naiveRoot(inputs.map((hex) => leafHash(Buffer.from(hex, 'hex'))));
  assert.equal(root.toString('hex'), '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
});

test('law: compact tree, tiles and the naive tree have one root, however the log grew', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 6 }), (batches) => {
      const { size, leaves, tiles } = grow(batches);
      const tree = emptyTree();
      for (const leaf of leaves) appendLeaf(tree, leaf);
      const expected = naiveRoot(leaves);
      assert.deepEqual(rootOf(tree), expected);
      assert.deepEqual(hashRange(tiles, { start: 0, end: size }), expected);
      for (const { level, index, width } of rightEdge(size)) {
        assert.equal(tiles.get(tileKey(level, index))?.length, width * 32);
      }
    }),
    { numRuns: 60 },
  );
});

test('law: growing in one batch or many gives the same tiles, past the second level too', () => {
  const whole = grow([66_000]);
  const parts = grow([1, 254, 1, 255, 257, 5_000, 60_000, 232]);
  assert.deepEqual(parts.tiles, whole.tiles);
  assert.ok(whole.tiles.has('2/0'));
  const root = hashRange(whole.tiles, { start: 0, end: 66_000 });
  assert.deepEqual(root, naiveRoot(whole.leaves));
});

test('law: inclusion proofs are those of the RFC, verify, and prove nothing else', () => {
  const { leaves, tiles } = grow([1_500]);
  const cases = fc.integer({ min: 1, max: 1_500 }).chain((size) =>
    fc.record({
      size: fc.constant(size),
      index: fc.nat(size - 1),
      bit: fc.nat(255),
      at: fc.nat(20),
      other: fc.nat(1_600),
    }),
  );
  fc.assert(
    fc.property(cases, ({ size, index, bit, at, other }) => {
      const known = leaves.slice(0, size);
      const path = inclusionPath(index, size).map((range) => hashRange(tiles, range));
      assert.deepEqual(path, naivePath(index, known));
      const root = naiveRoot(known);
      const leaf = leaves[index] as Buffer;
      assert.ok(verifyInclusion(leaf, index, size, path, root));
      if (other !== index) assert.ok(!verifyInclusion(leaf, other, size, path, root));
      assert.ok(!verifyInclusion(flip(leaf, bit), index, size, path, root));
      assert.ok(!verifyInclusion(leaf, index, size, path, flip(root, bit)));
      assert.ok(!verifyInclusion(leaf, index, size, [...path, root], root));
      if (path.length > 0) {
        const changed = path.map((hash, i) => (i === at % path.length ? flip(hash, bit) : hash));
        assert.ok(!verifyInclusion(leaf, index, size, changed, root));
        assert.ok(!verifyInclusion(leaf, index, size, path.slice(1), root));
      }
    }),
    { numRuns: 200 },
  );
});

test('law: consistency proofs are those of the RFC, verify, and prove nothing else', () => {
  const { leaves, tiles } = grow([1_200]);
  const roots = new Map<number, Buffer>();
  const rootAt = (n: number) => roots.get(n) ?? roots.set(n, naiveRoot(leaves.slice(0, n))).get(n)!;
  const cases = fc.integer({ min: 1, max: 1_200 }).chain((to) =>
    fc.record({
      to: fc.constant(to),
      from: fc.integer({ min: 1, max: to }),
      bit: fc.nat(255),
      at: fc.nat(20),
    }),
  );
  fc.assert(
    fc.property(cases, ({ from, to, bit, at }) => {
      const proof = consistencyPath(from, to).map((range) => hashRange(tiles, range));
      assert.deepEqual(proof, naiveSubproof(from, leaves.slice(0, to), true));
      assert.ok(verifyConsistency(from, to, rootAt(from), rootAt(to), proof));
      assert.ok(!verifyConsistency(from, to, flip(rootAt(from), bit), rootAt(to), proof));
      assert.ok(!verifyConsistency(from, to, rootAt(from), flip(rootAt(to), bit), proof));
      if (proof.length === 0) return;
      const changed = proof.map((hash, i) => (i === at % proof.length ? flip(hash, bit) : hash));
      assert.ok(!verifyConsistency(from, to, rootAt(from), rootAt(to), changed));
      assert.ok(!verifyConsistency(from, to, rootAt(from), rootAt(to), proof.slice(1)));
      assert.ok(!verifyConsistency(from, to, rootAt(from), rootAt(to), [...proof, rootAt(to)]));
    }),
    { numRuns: 200 },
  );
  assert.ok(verifyConsistency(0, 7, EMPTY_ROOT, rootAt(7), []));
  assert.ok(!verifyConsistency(8, 7, rootAt(8), rootAt(7), []));
  for (const odd of [Number.NaN, -1, 1.5, 2 ** 60]) {
    assert.ok(!verifyInclusion(leaves[0]!, odd, 9, [], rootAt(9)));
    assert.ok(!verifyConsistency(odd, 9, rootAt(9), rootAt(9), []));
  }
});

test('law: proofs read only the tiles they say', () => {
  const { tiles } = grow([70_000]);
  fc.assert(
    fc.property(fc.nat(69_999), (index) => {
      const ranges = inclusionPath(index, 70_000);
      const wanted = new Map(
        tilesOf(ranges).map(({ level, index: at }) => [tileKey(level, at), tiles.get(tileKey(level, at))!]),
      );
      assert.ok(wanted.size <= 6);
      for (const range of ranges) hashRange(wanted, range);
    }),
    { numRuns: 50 },
  );
});

test('tile paths are read exactly as they are written', () => {
  assert.equal(tileIndexPath(1_234_067), 'x001/x234/067');
  assert.deepEqual(parseTilePath('0/x001/x234/067'), { level: 0, index: 1_234_067, width: 256 });
  assert.deepEqual(parseTilePath('entries/000.p/7'), { level: 'entries', index: 0, width: 7 });
  fc.assert(
    fc.property(fc.nat(63), fc.nat(1e12), fc.integer({ min: 1, max: 255 }), (level, index, width) => {
      const path = `${level}/${tileIndexPath(index)}.p/${width}`;
      assert.deepEqual(parseTilePath(path), { level, index, width });
    }),
  );
  const odd = [
    '',
    '0',
    '0/0',
    '0/0000',
    '00/000',
    '64/000',
    '0/x000/001',
    '0/000.p/256',
    '0/000.p/0',
    '0/000.p/01',
    '0/x01/000',
    '-1/000',
    '0/000/',
    '0/../000',
    '0/1e3',
  ];
  for (const path of odd) assert.equal(parseTilePath(path), null, path);
});

function flip(hash: Buffer, bit: number): Buffer {
  const changed = Buffer.from(hash);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}
