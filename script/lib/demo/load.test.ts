import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type Load, startLoad } from './load.ts';
import { createHistogram } from './tally.ts';
import { createVisitors, seededRandom } from './visitors.ts';

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, server };
}

async function until(load: Load, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await wait(20);
  assert.ok(condition(), JSON.stringify(load.counters()));
}

test('every request is accounted for, by version and by what went wrong', async () => {
  let n = 0;
  const seen = { ok: 0, failed: 0, unavailable: 0, reset: 0, cut: 0 };
  const { server, ...target } = await serve((request, response) => {
    request.resume();
    const turn = n++ % 10;
    response.setHeader('x-shop-version', turn < 5 ? '1.0.0' : '2.0.0');
    if (turn === 2) {
      seen.failed++;
      response.writeHead(500).end();
    } else if (turn === 4) {
      seen.unavailable++;
      response.removeHeader('x-shop-version');
      response.writeHead(503).end();
    } else if (turn === 6) {
      seen.reset++;
      request.socket.destroy();
    } else if (turn === 8) {
      seen.cut++;
      response.writeHead(200, { 'content-length': '100' });
      response.write('{');
      setTimeout(() => response.destroy(), 5);
    } else {
      seen.ok++;
      response.writeHead(200).end('{}');
    }
  });
  const load = await startLoad({ ...target, rps: 400 });
  await until(load, () => load.counters().answered > 200);
  const summary = await load.stop();
  server.close();
  const { problems } = summary;
  assert.equal(summary.requests, summary.sent);
  assert.equal(summary.sent, n);
  assert.equal(summary.failedByApp, seen.failed);
  assert.equal(summary.lost, seen.unavailable + seen.reset + seen.cut);
  assert.equal(problems['status 500'], seen.failed);
  assert.equal(problems['status 503'], seen.unavailable);
  assert.equal(summary.losses.length, Math.min(50, summary.lost));
  assert.equal(summary.versions['1.0.0']?.failedByApp, seen.failed);
  assert.equal(summary.versions['2.0.0']?.failedByApp, 0);
  assert.equal(await load.stop(), summary);
});

test('arrivals follow the clock while the service stands still, and latency counts the wait', async () => {
  const { server, ...target } = await serve(async (request, response) => {
    request.resume();
    await wait(300);
    response.end('{}');
  });
  const load = await startLoad({ ...target, rps: 100, arrivals: 'even' });
  const began = performance.now();
  await until(load, () => load.counters().sent >= 100);
  const summary = await load.stop();
  const seconds = (performance.now() - began) / 1000;
  server.closeAllConnections();
  server.close();
  assert.equal(summary.lost, 0);
  assert.ok((summary.p50Ms ?? 0) >= 295, `p50 ${summary.p50Ms}`);
  assert.ok(summary.sent / seconds > 60 && summary.sent / seconds < 110, `${summary.sent} in ${seconds} s`);
});

test('a closed port and an answer that never comes are lost requests', async () => {
  const { server, ...target } = await serve((request) => void request.resume());
  const silent = await startLoad({ ...target, rps: 50, timeoutMs: 300 });
  await until(silent, () => silent.counters().lost > 5);
  assert.ok(((await silent.stop()).problems.timeout ?? 0) > 5);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const refused = await startLoad({ ...target, rps: 50 });
  await until(refused, () => refused.counters().lost > 5);
  assert.deepEqual(Object.keys((await refused.stop()).problems), ['connect ECONNREFUSED']);
  await assert.rejects(startLoad({ ...target, rps: 0 }), RangeError);
  await assert.rejects(startLoad({ ...target, rps: Number.NaN }), RangeError);
});

test('the mix holds one checkout in five, and the same seed gives the same visits', () => {
  const visits = (seed: number) => {
    const visitors = createVisitors(seededRandom(seed));
    visitors.learn('POST /cart', '{"cart":"token","lines":[1]}');
    visitors.learn('POST /checkout', '{"id":"order"}');
    return Array.from({ length: 10_000 }, () => visitors.next());
  };
  const checkouts = visits(7).filter(({ endpoint }) => endpoint === 'POST /checkout').length;
  assert.ok(checkouts > 1_850 && checkouts < 2_150, `${checkouts}`);
  assert.deepEqual(visits(7), visits(7));
  assert.notDeepEqual(visits(7), visits(8));
});

test('quantiles are right to the width of a bucket', () => {
  const histogram = createHistogram();
  assert.equal(histogram.quantile(0.5), null);
  for (let ms = 1; ms <= 1_000; ms++) histogram.add(ms);
  for (const q of [0.01, 0.5, 0.95, 0.99, 1]) {
    const found = histogram.quantile(q) ?? 0;
    assert.ok(found >= q * 1_000 * 0.995 && found <= q * 1_000 * 1.035, `${q}: ${found}`);
  }
});
