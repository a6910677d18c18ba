import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, before, test } from 'node:test';
import type { Group, LaneRoute } from '../kernel/dataplane.ts';
import { shortDigest } from '../kernel/digest.ts';
import { DIGESTS, instance, startLoad, TestBench, until } from './testing.ts';

/** Which group answers: weights, matches, sticky visitors, mirrors; and that changing any of it loses nothing. */
const bench = new TestBench();
const ports: Record<Group, number> = { stable: 0, baseline: 0, canary: 0 };
const bodies: Record<Group, string[]> = { stable: [], baseline: [], canary: [] };

before(async () => {
  await bench.start();
  for (const group of ['stable', 'baseline', 'canary'] as const) {
    const backend = await bench.backend((req, res) => {
      let body = '';
      req.setEncoding('latin1').on('data', (part: string) => {
        body += part;
      });
      req.on('end', () => {
        if (req.url !== '/load') bodies[group].push(`${req.method} ${req.url} ${body}`);
        res.end(group);
      });
    });
    ports[group] = backend.port;
  }
});

after(() => bench.close());

const all = () =>
  (['stable', 'baseline', 'canary'] as const).map((group) => instance(group, ports[group], group));

interface Reply {
  status: number;
  body: string;
  cookie: string | undefined;
}

async function ask(port: number, headers: Record<string, string> = {}, path = '/load'): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, headers, agent: false }, (res) => {
      let body = '';
      res.setEncoding('latin1').on('data', (part: string) => {
        body += part;
      });
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, body, cookie: res.headers['set-cookie']?.[0] }),
      );
    }).on('error', reject);
  });
}

async function tally(port: number, requests: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = { stable: 0, baseline: 0, canary: 0 };
  for (let i = 0; i < requests; i++) counts[(await ask(port)).body]!++;
  return counts;
}

test('weights are kept exactly over small counts', async () => {
  const port = await bench.serve(all(), { weights: { stable: 90, baseline: 0, canary: 10 } });
  assert.deepEqual(await tally(port, 100), { stable: 90, baseline: 0, canary: 10 });
  await bench.apply(all(), { weights: { stable: 80, baseline: 10, canary: 10 } });
  assert.deepEqual(await tally(port, 50), { stable: 40, baseline: 5, canary: 5 });
  await bench.apply(all(), { weights: { stable: 100, baseline: 0, canary: 0 } });
  assert.deepEqual(await tally(port, 20), { stable: 20, baseline: 0, canary: 0 });
});

test('applying the same weights again does not start the count anew', async () => {
  const weights = { stable: 90, baseline: 0, canary: 10 };
  const port = await bench.serve(all(), { weights });
  let canary = 0;
  for (let i = 0; i < 50; i++) {
    await bench.apply(all(), { weights });
    if ((await ask(port)).body === 'canary') canary++;
  }
  assert.equal(canary, 5);
});

test('a group without serving instances falls back to stable, then to others with a weight', async () => {
  const [stable, baseline, canary] = all();
  const drained = { ...canary!, state: 'draining' as const };
  const port = await bench.serve([stable!, baseline!, drained], {
    weights: { stable: 0, baseline: 0, canary: 100 },
  });
  assert.equal((await tally(port, 10)).stable, 10);
  await bench.apply([baseline!, drained], { weights: { stable: 50, baseline: 0, canary: 50 } });
  assert.equal((await tally(port, 10)).baseline, 10);
  await bench.apply([stable!, baseline!, drained], { weights: { stable: 0, baseline: 50, canary: 50 } });
  assert.equal((await tally(port, 10)).baseline, 10, 'stable has no weight while baseline has');
});

test('a match by header or cookie beats the weights; the first one wins', async () => {
  const match: LaneRoute['match'] = [
    { header: { name: 'X-Try', value: 'old' }, group: 'baseline' },
    { header: { name: 'X-Try', value: 'new' }, cookie: { name: 'who', value: 'me' }, group: 'canary' },
    { cookie: { name: 'canary', value: 'always' }, group: 'canary' },
  ];
  const port = await bench.serve(all(), { match });
  assert.equal((await ask(port, { 'x-try': 'old', cookie: 'canary=always' })).body, 'baseline');
  assert.equal((await ask(port, { 'x-try': 'new' })).body, 'stable');
  assert.equal((await ask(port, { 'x-try': 'new', cookie: 'a=b; who=me' })).body, 'canary');
  assert.equal((await ask(port, { cookie: 'canary=always; x=y' })).body, 'canary');
  assert.equal((await ask(port, { cookie: 'notcanary=always' })).body, 'stable');
  assert.equal((await ask(port, { 'x-try': 'older' })).body, 'stable');
});

test('a sticky visitor stays; a cookie that no longer holds is drawn anew', async () => {
  const sticky = { cookie: 'lane', ttlS: 60 };
  const weights = { stable: 50, baseline: 0, canary: 50 };
  const port = await bench.serve(all(), { sticky, weights });
  const first = await ask(port);
  const group = first.body as Group;
  const expected = `lane=${group}.${shortDigest(DIGESTS[group])}`;
  assert.equal(first.cookie, `${expected}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`);
  for (let i = 0; i < 10; i++) {
    const again = await ask(port, { cookie: expected });
    assert.deepEqual([again.body, again.cookie], [group, undefined]);
  }
  const canary = `lane=canary.${shortDigest(DIGESTS.canary)}`;
  await bench.apply(all(), { sticky, weights: { stable: 100, baseline: 0, canary: 0 } });
  const moved = await ask(port, { cookie: canary });
  assert.equal(moved.body, 'stable');
  assert.match(moved.cookie ?? '', /^lane=stable\./);
  await bench.apply(all(), { sticky, weights });
  for (const forged of [
    'lane=canary.000000000000',
    'lane=root.x',
    'lane=',
    'lane=canary',
    `lane=${'x'.repeat(4_000)}`,
  ]) {
    assert.match((await ask(port, { cookie: forged })).cookie ?? '', /^lane=(stable|canary)\./, forged);
  }
});

test('sticky draws keep the weights for new visitors', async () => {
  const port = await bench.serve(all(), {
    sticky: { cookie: 'lane', ttlS: 60 },
    weights: { stable: 90, baseline: 0, canary: 10 },
  });
  assert.deepEqual(await tally(port, 100), { stable: 90, baseline: 0, canary: 10 });
});

test('a mirror gets copies, bodies included; its answers and figures stay apart', async () => {
  bodies.canary.length = 0;
  const port = await bench.serve(all(), { mirror: { group: 'canary', percent: 100 } });
  const before = await bench.counters('canary');
  assert.equal((await ask(port, {}, '/mirrored')).body, 'stable');
  const response = await fetch(`http://127.0.0.1:${port}/form`, { method: 'POST', body: 'a=1' });
  assert.equal(await response.text(), 'stable');
  await fetch(`http://127.0.0.1:${port}/large`, { method: 'POST', body: 'x'.repeat(100_000) });
  await until('two copies', () => bodies.canary.length === 2);
  assert.deepEqual(bodies.canary, ['GET /mirrored ', 'POST /form a=1']);
  await until(
    'copies are counted apart',
    async () => (await bench.counters('canary')).mirrored.requests >= 2,
  );
  assert.equal((await bench.counters('canary')).requests, before.requests);
});

test('a mirrored share is kept; a dead mirror harms nobody', async () => {
  const dead = instance('dead', 1, 'canary');
  const port = await bench.serve([all()[0]!, dead], { mirror: { group: 'canary', percent: 50 } });
  assert.equal((await tally(port, 20)).stable, 20);
  await until('copies failed', async () => (await bench.counters('dead')).mirrored.errors === 10);
});

test('weights, drains, moves and removals under load lose no request', async () => {
  const extra = await bench.backend((_req, res) => setTimeout(() => res.end('extra'), 3));
  const [stable, , canary] = all();
  const port = await bench.serve([stable!]);
  const load = startLoad(port, 16);
  const post = startLoad(port, 4, { method: 'POST' });
  const steps: [readonly ReturnType<typeof instance>[], Partial<LaneRoute>][] = [
    [[stable!, canary!], { weights: { stable: 50, baseline: 0, canary: 50 } }],
    [
      [stable!, canary!, instance('extra', extra.port, 'canary')],
      { weights: { stable: 10, baseline: 0, canary: 90 } },
    ],
    [
      [stable!, { ...canary!, state: 'draining' }, instance('extra', extra.port, 'canary')],
      { weights: { stable: 0, baseline: 0, canary: 100 } },
    ],
    [
      [stable!, instance('extra', extra.port, 'canary', { state: 'draining' })],
      { weights: { stable: 100, baseline: 0, canary: 0 } },
    ],
    [[stable!], {}],
  ];
  for (let round = 0; round < 10; round++) {
    for (const [backends, change] of steps) {
      await bench.apply(backends, change);
      const mark = load.answered;
      await until('load goes on', () => load.answered > mark + 30);
    }
  }
  await load.stop();
  await post.stop();
  assert.deepEqual([...load.failures, ...post.failures], []);
  assert.ok((load.bodies.get('canary') ?? 0) > 0 && (load.bodies.get('extra') ?? 0) > 0);
});

test('a drained instance finishes what it has, gets nothing new, and loses its idle connections', async () => {
  let release: () => void = () => {};
  const slow = await bench.backend((req, res) => {
    if (req.url === '/slow') release = () => res.end('done');
    else res.end('quick');
  });
  const [stable] = all();
  const serving = instance('slow', slow.port, 'canary');
  const weights = { stable: 0, baseline: 0, canary: 100 };
  const port = await bench.serve([stable!, serving], { weights });
  const pending = ask(port, {}, '/slow');
  await until('it is in flight', async () => (await bench.client.get('shop/prod'))?.inFlight.slow === 1);
  await ask(port);
  assert.equal(slow.sockets.size, 2);
  await bench.apply([stable!, { ...serving, state: 'draining' }], { weights });
  assert.equal((await ask(port)).body, 'stable');
  await until('the idle connection is closed', () => slow.sockets.size === 1);
  release();
  assert.equal((await pending).body, 'done');
  await until('nothing is in flight and no connection is left', async () => {
    return (await bench.client.get('shop/prod'))?.inFlight.slow === 0 && slow.sockets.size === 0;
  });
});

test('figures of a removed instance stay for a while', async () => {
  const [stable, , canary] = all();
  const port = await bench.serve([stable!, canary!], { weights: { stable: 50, baseline: 0, canary: 50 } });
  await tally(port, 10);
  const { requests } = await bench.counters('canary');
  await bench.apply([stable!]);
  assert.equal((await bench.counters('canary')).requests, requests);
});
