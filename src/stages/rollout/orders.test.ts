import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BODY_BYTES } from '../../support/ledger/append.ts';
import { entryOf } from './entries.ts';
import { routeOf, scene, situationOf } from './lane.testing.ts';
import { fenceOf, NO_ORDERS, ordersAfter, outstandingOf } from './orders.ts';
import { plan } from './plan.ts';
import { instanceOf, OLD, TEMPLATE } from './rollout.testing.ts';
import type { Action } from './situation.ts';

const c1 = instanceOf('oldoldoldold-c1', OLD);
const c2 = instanceOf('oldoldoldold-c2', OLD);
const weights = { stable: 100, baseline: 0, canary: 0 };
const seen = (fence: number, instances = [c1, c2]) => ({
  instances,
  route: { ...routeOf(instances, weights), fence },
  inFlight: {},
});
const stop = (id: string): Action => ({ kind: 'stop-instance', id });
const route: Action = { kind: 'route', weights, backends: [], mirror: null, match: [] };

test('fences of one rollout rise with its generation, and every later rollout has higher ones', () => {
  assert.ok(fenceOf(3, 7) > fenceOf(3, 6));
  assert.ok(fenceOf(4, 0) > fenceOf(3, 1_000_000));
});

test('a route is on order until it, or a newer one, is seen; before the first order nothing is known', () => {
  assert.equal(outstandingOf(NO_ORDERS, 3, seen(fenceOf(3, 9))).route, true);
  const orders = ordersAfter(NO_ORDERS, seen(0), [route], 5);
  assert.equal(outstandingOf(orders, 3, seen(fenceOf(3, 4))).route, true);
  assert.equal(outstandingOf(orders, 3, seen(fenceOf(3, 5))).route, false);
  assert.equal(outstandingOf(orders, 3, seen(fenceOf(3, 6))).route, false);
  assert.equal(outstandingOf(orders, 3, { ...seen(0), route: null }).route, true, 'a router that lost it');
  assert.equal(outstandingOf(orders, 3, null).route, true);
});

test('a stop is on order until its instance is seen to be gone; blindness forgets none', () => {
  const first = ordersAfter(NO_ORDERS, seen(0), [stop(c1.id)], 2);
  assert.deepEqual(first.stops, [c1.id]);
  assert.deepEqual(ordersAfter(first, null, [], 3).stops, [c1.id]);
  assert.equal(ordersAfter(first, seen(0), [], 3), first, 'what does not change is not written');
  assert.deepEqual(ordersAfter(first, seen(0), [stop(c1.id), stop(c2.id)], 3).stops, [c1.id, c2.id]);
  assert.deepEqual(ordersAfter(first, seen(0, [c2]), [], 3).stops, []);
});

test('an entry fits into the ledger, however large the fleet and however long its words', () => {
  const lane = scene({ instances: 500, canaryInstances: 500 }, 500);
  const situation = situationOf(lane);
  const made = plan(lane.rollout, lane.state, situation);
  assert.ok(made.actions.length >= 500);
  const active = {
    rollout: lane.rollout,
    state: lane.state,
    runtime: {
      listen: { host: '127.0.0.1', port: 1 },
      match: [],
      sticky: null,
      versions: { [OLD]: TEMPLATE },
    },
    request: null,
    generation: 4,
    epoch: 1,
    promotionId: null,
    releaseId: null,
    repository: 'shop',
    analysis: null,
    reasons: [],
    orders: NO_ORDERS,
  };
  const wordy = { ...made, reasons: Array.from({ length: 40 }, () => 'é'.repeat(5_000)) };
  const entry = entryOf({ claimedAtMs: 0, active, plan: wordy, orders: NO_ORDERS }, true, 0);
  assert.ok(Buffer.byteLength(JSON.stringify(entry)) < MAX_BODY_BYTES - 1_000);
  assert.equal(entry?.data.generation, 5);
  assert.equal(entry?.environment, 'prod');
  assert.equal(
    entryOf({ claimedAtMs: 0, active, plan: { ...made, actions: [] }, orders: NO_ORDERS }, false, 0),
    null,
  );
});
