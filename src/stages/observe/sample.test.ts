import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BackendCounters, LATENCY_EDGES_S, type RouterStats } from '../../kernel/dataplane.ts';
import { sha256 } from '../../kernel/digest.ts';
import { quantile, sampleLanes } from './sample.ts';

const OLD = sha256('old');
const NEW = sha256('new');
const BUCKETS = LATENCY_EDGES_S.length + 1;

function latencyOf(counts: Readonly<Record<number, number>>): number[] {
  return Array.from({ length: BUCKETS }, (_, i) => counts[i] ?? 0);
}

function backend(id: string, group: BackendCounters['group'], requests: number, errors = 0): BackendCounters {
  return {
    id,
    group,
    digest: group === 'canary' ? NEW : OLD,
    requests,
    errors,
    latency: latencyOf({ 10: requests }),
    latencySumS: 0,
    inFlight: 0,
    status: { '1xx': 0, '2xx': requests, '3xx': 0, '4xx': 0, '5xx': errors },
  };
}

function stats(
  atMs: number,
  backends: readonly BackendCounters[],
  more: Partial<RouterStats> = {},
  unrouted = 0,
): RouterStats {
  const weights = { stable: 90, baseline: 0, canary: 10 };
  return {
    bootId: 'a',
    atMs,
    lanes: [{ lane: 'shop/prod', fence: 1, weights, backends, unrouted }],
    ...more,
  };
}

const groupsOf = (before: RouterStats | null, now: RouterStats) =>
  sampleLanes(before, now, []).get('shop/prod')?.groups;

test('rates are what the counters moved by, summed over the instances of a group', () => {
  const before = stats(1_000, [
    backend('a', 'stable', 100),
    backend('b', 'stable', 50),
    backend('c', 'canary', 10, 1),
  ]);
  const now = stats(3_000, [
    backend('a', 'stable', 200),
    backend('b', 'stable', 70),
    backend('c', 'canary', 30, 6),
  ]);
  const groups = groupsOf(before, now);
  assert.equal(groups?.stable?.rps, 60);
  assert.equal(groups?.stable?.errorRate, 0);
  assert.equal(groups?.canary?.rps, 10);
  assert.equal(groups?.canary?.errorRate, 0.25);
  assert.deepEqual([groups?.stable?.digest, groups?.canary?.digest], [OLD, NEW]);
  assert.equal(groups?.baseline, undefined);
});

test('nothing measured is not zero', () => {
  const still = groupsOf(
    stats(1_000, [backend('a', 'stable', 5)]),
    stats(2_000, [backend('a', 'stable', 5)]),
  );
  assert.deepEqual([still?.stable?.rps, still?.stable?.errorRate, still?.stable?.p99S], [0, null, null]);
  assert.deepEqual(groupsOf(null, stats(2_000, [backend('a', 'stable', 5)])), {}, 'one look gives no rate');
  const same = stats(2_000, [backend('a', 'stable', 5)]);
  assert.deepEqual(groupsOf(same, same), {}, 'nor do two at the same moment');
});

test('a router that restarted counts from zero: its first figures are no rate, and never negative', () => {
  const before = stats(1_000, [backend('a', 'stable', 1_000)]);
  assert.deepEqual(groupsOf(before, stats(2_000, [backend('a', 'stable', 5)], { bootId: 'b' })), {});
  // The same process, an instance of the same id that is new to it.
  const fresh = groupsOf(before, stats(2_000, [backend('a', 'stable', 7)]));
  assert.equal(fresh?.stable?.rps, 7);
  const unrouted = sampleLanes(stats(1_000, [], {}, 9), stats(2_000, [], {}, 4), []).get(
    'shop/prod',
  )?.unrouted;
  assert.equal(unrouted, 0);
});

test('instances are counted in their own lane', () => {
  const instance = (lane: string, state: string) => ({ lane, state }) as never;
  const instances = [
    instance('shop/prod', 'ready'),
    instance('shop/prod', 'starting'),
    instance('shop/dev', 'ready'),
  ];
  const sample = sampleLanes(null, stats(1, []), instances).get('shop/prod');
  assert.deepEqual(sample?.instances, { ready: 1, total: 2 });
});

test('law: a quantile is the upper edge of the bucket that holds it', () => {
  assert.equal(quantile(latencyOf({}), 0.5), null);
  assert.equal(quantile(latencyOf({ 3: 1 }), 0.99), LATENCY_EDGES_S[3]);
  assert.equal(quantile(latencyOf({ [BUCKETS - 1]: 1 }), 0.5), LATENCY_EDGES_S.at(-1));
  fc.assert(
    fc.property(
      fc.array(fc.nat(BUCKETS - 2), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0.01, max: 0.999, noNaN: true }),
      (buckets, q) => {
        const counts = latencyOf({});
        for (const bucket of buckets) counts[bucket] = (counts[bucket] ?? 0) + 1;
        const edge = quantile(counts, q);
        const at = LATENCY_EDGES_S.indexOf(edge ?? -1);
        const upTo = counts.slice(0, at + 1).reduce((a, b) => a + b, 0);
        assert.ok(upTo >= q * buckets.length && upTo - (counts[at] ?? 0) < q * buckets.length);
      },
    ),
  );
});
