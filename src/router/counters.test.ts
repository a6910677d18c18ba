import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LATENCY_EDGES_S } from '../kernel/dataplane.ts';
import { Counters, latencyBucket } from './counters.ts';

/** The definition: the first edge that is not below the value, else the last bucket. */
function searched(seconds: number): number {
  const index = LATENCY_EDGES_S.findIndex((edge) => seconds <= edge);
  return index < 0 ? LATENCY_EDGES_S.length : index;
}

test('law: the bucket by logarithm is the bucket by search', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (seconds) =>
      assert.equal(latencyBucket(seconds), searched(seconds)),
    ),
    { numRuns: 5_000 },
  );
});

test('edges themselves, and a hair on either side, are in the right bucket', () => {
  for (const edge of LATENCY_EDGES_S) {
    for (const seconds of [edge, edge * (1 + 1e-12), edge * (1 - 1e-12)]) {
      assert.equal(latencyBucket(seconds), searched(seconds), String(seconds));
    }
  }
  for (const odd of [0, -1, Number.NaN]) assert.equal(latencyBucket(odd), 0);
  assert.equal(latencyBucket(Number.MAX_VALUE), LATENCY_EDGES_S.length);
});

test('errors are 5xx and failures; every request is in the histogram once', () => {
  const counters = new Counters();
  counters.record(0.001, 200, false);
  counters.record(0.002, 404, false);
  counters.record(0.003, 503, false);
  counters.record(0.004, 200, true);
  counters.record(0.005, 0, true);
  const figures = counters.figures();
  assert.deepEqual([figures.requests, figures.errors], [5, 3]);
  assert.deepEqual(figures.status, { '1xx': 0, '2xx': 2, '3xx': 0, '4xx': 1, '5xx': 1 });
  assert.equal(
    figures.latency.reduce((sum, count) => sum + count, 0),
    5,
  );
  assert.equal(figures.latency.length, LATENCY_EDGES_S.length + 1);
});
