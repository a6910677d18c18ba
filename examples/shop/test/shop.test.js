import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addToCart, LINES, totalCents } from '../src/cart.js';
import { createCatalogue } from '../src/catalogue.js';
import { createCheckout } from '../src/checkout.js';
import { escapeHtml, frontPage, money } from '../src/page.js';
import { createPayments } from '../src/payments.js';
import { createSeal } from '../src/seal.js';
import { createSearch, editDistance } from '../src/search.js';

const { products, byId } = createCatalogue();
const empty = { lines: [] };

test('the catalogue is always the same, with unique ids and sound prices', () => {
  assert.deepEqual(createCatalogue().products, products);
  assert.equal(byId.size, products.length);
  assert.ok(products.every(({ priceCents }) => Number.isInteger(priceCents) && priceCents > 0));
});

test('search finds a product by its name, best first', () => {
  const search = createSearch(products);
  const wanted = products[37];
  assert.equal(search(wanted.name)[0].name, wanted.name);
  assert.deepEqual(search(''), []);
  assert.deepEqual(search('12 34 !!'), []);
});

test('search forgives two wrong letters', () => {
  const search = createSearch(products);
  assert.match(search('velevt')[0].name, /^Velvet/);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('a cart adds up and has bounds', () => {
  const cart = addToCart(addToCart(empty, 'p-0001', 2, byId), 'p-0001', 3, byId);
  assert.deepEqual(cart, { lines: [{ productId: 'p-0001', quantity: 5 }] });
  assert.equal(totalCents(cart, byId), 5 * byId.get('p-0001').priceCents);
  assert.throws(() => addToCart(cart, 'p-0001', 6, byId), { status: 422 });
  assert.throws(() => addToCart(cart, 'p-0001', 1.5, byId), { status: 422 });
  assert.throws(() => addToCart(cart, 'nothing', 1, byId), { status: 404 });
  let full = empty;
  for (let i = 0; i < LINES; i++) full = addToCart(full, products[i].id, 1, byId);
  assert.throws(() => addToCart(full, products[LINES].id, 1, byId), { status: 422 });
});

test('a seal opens only what it sealed, of the kind asked for', () => {
  const { seal, open } = createSeal('key');
  const token = seal('cart', empty);
  assert.deepEqual(open('cart', token), empty);
  assert.equal(open('order', token), null);
  assert.equal(createSeal('another').open('cart', token), null);
  for (const wrong of [undefined, 7, '', '.', 'a.b', `${token}x`, `x${token}`, `${token}.x`])
    assert.equal(open('cart', wrong), null);
});

test('a checkout takes the payment and gives the order', async () => {
  const cart = addToCart(empty, 'p-0002', 2, byId);
  const payments = createPayments({ medianMs: 1 });
  const checkout = createCheckout({ byId, payments, now: () => new Date(0), newNumber: () => 'n-1' });
  assert.deepEqual(await checkout(cart), {
    number: 'n-1',
    at: '1970-01-01T00:00:00.000Z',
    lines: cart.lines,
    totalCents: totalCents(cart, byId),
  });
  await assert.rejects(checkout(empty), { status: 422 });
});

test('a declined payment sells nothing', async () => {
  const payments = { authorize: async () => ({ approved: false }) };
  await assert.rejects(createCheckout({ byId, payments })(addToCart(empty, 'p-0002', 1, byId)), {
    status: 402,
  });
});

test('pages escape what they show', () => {
  assert.equal(escapeHtml(`<a href="x">'&'</a>`), '&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;');
  assert.equal(money(1205), '12.05');
  assert.match(frontPage(products, 20_000, '<1>'), /&lt;1&gt;/);
});
