import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCheckout } from '../src/checkout.js';
import { BATCH, createReservations, hash } from '../src/reservations.js';

const byId = new Map([['a', { id: 'a', priceCents: 100, stock: 3 }]]);
const two = [{ productId: 'a', quantity: 2 }];

/** `count` order numbers that hash to one bucket. */
function sameBucket(count) {
  const found = ['n-0'];
  for (let i = 1; found.length < count; i++)
    if (hash(`n-${i}`) % 41 === hash('n-0') % 41) found.push(`n-${i}`);
  return found;
}

test('a reservation holds pieces back until it is released', async () => {
  const reservations = createReservations({ byId, settle: async () => {}, status: async () => 'authorized' });
  await reservations.reserve('n-1', two);
  assert.equal(reservations.available('a'), 1);
  await assert.rejects(reservations.reserve('n-2', two), { status: 409 });
  assert.equal(reservations.available('a'), 1);
  reservations.release('n-1');
  reservations.release('n-1');
  assert.equal(reservations.available('a'), 3);
});

test('three orders share a bucket', async () => {
  const plenty = new Map([['a', { id: 'a', priceCents: 100, stock: 1_000 }]]);
  const reservations = createReservations({
    byId: plenty,
    settle: async () => {},
    status: async () => 'authorized',
  });
  const numbers = sameBucket(3);
  for (const number of numbers) await reservations.reserve(number, two);
  assert.equal(reservations.size(), 3);
  reservations.release(numbers[1]);
  assert.equal(reservations.available('a'), 996);
});

test('the place of a settled order is used again', async () => {
  const plenty = new Map([['a', { id: 'a', priceCents: 100, stock: 1_000 }]]);
  const reservations = createReservations({
    byId: plenty,
    settle: async () => {},
    status: async () => 'settled',
  });
  for (const number of sameBucket(6)) await reservations.reserve(number, two);
  assert.equal(reservations.size(), 2);
});

test('the oldest orders are settled in batches', async () => {
  const batches = [];
  const plenty = new Map([['a', { id: 'a', priceCents: 100, stock: 1_000 }]]);
  const reservations = createReservations({
    byId: plenty,
    settle: async (numbers) => batches.push(numbers),
    status: async () => 'authorized',
  });
  for (let i = 0; i < 2 * BATCH; i++) await reservations.reserve(`n-${i}`, two);
  assert.deepEqual(batches, [Array.from({ length: BATCH }, (_, i) => `n-${i}`)]);
  assert.equal(reservations.size(), BATCH);
  assert.equal(reservations.available('a'), 1_000 - 2 * BATCH);
});

test('a declined payment gives the pieces back', async () => {
  const reservations = createReservations({ byId, settle: async () => {}, status: async () => 'authorized' });
  const payments = { authorize: async () => ({ approved: false }) };
  await assert.rejects(createCheckout({ byId, payments, reservations })({ lines: two }), { status: 402 });
  assert.equal(reservations.available('a'), 3);
});
