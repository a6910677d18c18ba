import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../src/server.js', import.meta.url));

/** Starts the real server on a free port and waits until it says ready. */
async function start() {
  const child = spawn(process.execPath, [entry], {
    env: { ...process.env, PORT: '0', SHOP_KEY: 'test' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const exited = once(child, 'exit');
  let port;
  for await (const line of lines) {
    const entry = JSON.parse(line);
    port ??= entry.port;
    if (entry.message === 'ready') break;
  }
  child.stdout.resume();
  return { child, exited, origin: `http://127.0.0.1:${port}` };
}

const post = (url, body) =>
  fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

let shop;
before(async () => {
  shop = await start();
});
after(() => shop.child.kill('SIGKILL'));

test('a visit from the front page to the order', async () => {
  const front = await fetch(`${shop.origin}/`);
  assert.equal(front.status, 200);
  assert.match(front.headers.get('content-type'), /^text\/html/);
  assert.match(front.headers.get('x-shop-version'), /^\d+\.\d+\.\d+$/);
  const { products } = await (await fetch(`${shop.origin}/products?page=2`)).json();
  assert.equal(products.length, 30);
  assert.equal((await (await fetch(`${shop.origin}/products/${products[0].id}`)).json()).id, products[0].id);
  const found = await (await fetch(`${shop.origin}/search?q=${encodeURIComponent(products[0].name)}`)).json();
  assert.equal(found.results[0].name, products[0].name);

  const first = await (await post(`${shop.origin}/cart`, { productId: products[0].id, quantity: 2 })).json();
  const second = await (
    await post(`${shop.origin}/cart`, { cart: first.cart, productId: products[1].id })
  ).json();
  assert.equal(second.lines.length, 2);
  const bought = await post(`${shop.origin}/checkout`, { cart: second.cart });
  assert.equal(bought.status, 201);
  const order = await bought.json();
  assert.equal(order.totalCents, second.totalCents);
  assert.deepEqual(await (await fetch(`${shop.origin}/orders/${order.id}`)).json(), order);
});

test('wrong requests get an answer that says so', async () => {
  const cases = [
    ['/nothing', {}, 404],
    ['/products/p-9999', {}, 404],
    ['/products?page=0', {}, 422],
    ['/products/%ff', {}, 400],
    ['/orders/forged.token', {}, 404],
    ['/cart', {}, 405],
    ['/cart', { method: 'POST', body: 'not json' }, 400],
    ['/cart', { method: 'POST', body: '[]' }, 400],
    ['/cart', { method: 'POST', body: JSON.stringify({ productId: 'p-0001', cart: 'forged' }) }, 422],
    ['/checkout', { method: 'POST', body: '{}' }, 422],
    ['/cart', { method: 'POST', body: 'x'.repeat(100_000) }, 413],
  ];
  for (const [path, init, status] of cases) {
    const response = await fetch(`${shop.origin}${path}`, init);
    assert.equal(response.status, status, path);
    assert.equal(typeof (await response.json()).error, 'string');
  }
});

test('health, readiness and metrics', async () => {
  assert.equal((await fetch(`${shop.origin}/healthz`)).status, 200);
  assert.equal((await fetch(`${shop.origin}/readyz`)).status, 200);
  const text = await (await fetch(`${shop.origin}/metrics`)).text();
  assert.match(text, /^shop_requests_total\{route="\/readyz",status="200"\} \d+$/m);
  assert.match(text, /^shop_request_duration_seconds_bucket\{route="\/readyz",le="\+Inf"\} \d+$/m);
});

test('a stop says "not ready", finishes what is under way, closes politely and exits 0', async () => {
  const other = await start();
  const agent = new Agent({ keepAlive: true });
  const get = (path) =>
    new Promise((resolve, reject) => {
      request(`${other.origin}${path}`, { agent }, (response) => {
        response.resume();
        response.once('end', () =>
          resolve({ status: response.statusCode, connection: response.headers.connection }),
        );
      })
        .once('error', reject)
        .end();
    });
  assert.deepEqual(await get('/readyz'), { status: 200, connection: 'keep-alive' });
  const { cart } = await (await post(`${other.origin}/cart`, { productId: 'p-0001' })).json();
  const underWay = Array.from({ length: 4 }, () => post(`${other.origin}/checkout`, { cart }));
  other.child.kill('SIGTERM');
  let answer = await get('/readyz');
  while (answer.status === 200) answer = await get('/readyz');
  assert.deepEqual(answer, { status: 503, connection: 'close' });
  assert.equal((await get('/products')).status, 200);
  for (const response of await Promise.all(underWay)) assert.equal(response.status, 201);
  assert.deepEqual(await other.exited, [0, null]);
  agent.destroy();
});
