import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LATENCY_EDGES_S } from '../../kernel/dataplane.ts';
import { above, BUCKETS, emptyCounts, nearestEdge, pack, quantileS, total, unpack } from './histogram.ts';

const counts = fc
  .array(fc.tuple(fc.integer({ min: 0, max: BUCKETS - 1 }), fc.integer({ min: 0, max: 1_000_000 })), {
    maxLength: 30,
  })
  .map((entries) => {
    const all = emptyCounts();
    for (const [bucket, count] of entries) all[bucket]! += count;
    return all;
  });

test('law: packing loses nothing', () => {
  fc.assert(fc.property(counts, (all) => assert.deepEqual(unpack(pack(all)), all)));
});

test('law: the nearest edge has no neighbour whose share above is nearer', () => {
  fc.assert(
    fc.property(counts, fc.constantFrom(0.5, 0.95, 0.99), (all, quantile) => {
      const edge = nearestEdge(all, quantile);
      if (total(all) === 0) return assert.equal(edge, null);
      assert.ok(edge !== null);
      const n = total(all);
      const away = (at: number) =>
        Math.abs(
          Math.log((above(all, at) + 0.5) / (n - above(all, at) + 0.5)) - Math.log((1 - quantile) / quantile),
        );
      for (const other of [edge - 1, edge + 1]) {
        if (other >= 0 && other < LATENCY_EDGES_S.length) assert.ok(away(edge) <= away(other) + 1e-12);
      }
    }),
  );
});

test('law: quantiles for drawing rise with the quantile and stay within the occupied buckets', () => {
  fc.assert(
    fc.property(counts, (all) => {
      fc.pre(total(all) > 0);
      const drawn = [0.5, 0.95, 0.99].map((q) => quantileS(all, q) as number);
      assert.ok((drawn[0] as number) <= (drawn[1] as number) && (drawn[1] as number) <= (drawn[2] as number));
      const last = all.findLastIndex((count) => count > 0);
      assert.ok(
        (drawn[2] as number) <=
          (LATENCY_EDGES_S[Math.min(last, LATENCY_EDGES_S.length - 1)] as number) * (1 + 1e-9),
      );
    }),
  );
});

test('one bucket: the edge lies above it, so that slower requests are bad and these are not', () => {
  const all = emptyCounts();
  all[40] = 1000;
  assert.equal(nearestEdge(all, 0.99), 40);
  assert.equal(above(all, 40), 0);
  assert.equal(above(all, 39), 1000);
});
