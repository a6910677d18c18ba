import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Digest } from '../kernel/digest.ts';
import { type TestHost, testHost, testSpec, until, untilState } from './testing/host.ts';
import { pushImage, serverLayer } from './testing/image-builder.ts';

let host: TestHost;
let digest: Digest;

before(async () => {
  host = await testHost();
  digest = (await pushImage(host.registry, 'shop', { layers: [await serverLayer()], compression: 'zstd' }))
    .digest;
  await host.start();
});
after(() => host.end());

async function removed(id: string, fence = 2): Promise<void> {
  await host.client.remove(id, fence);
  await until(`${id} is forgotten`, async () => (await host.client.get(id)) === null);
  assert.deepEqual(host.processesOf(id), []);
}

test('instances outlive the agent, by SIGKILL and by SIGTERM, and are adopted', async () => {
  await host.client.put(testSpec({ id: 'lives', digest, lane: 'lives/prod' }));
  const before = await untilState(host, 'lives', 'ready');
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await host.kill(signal);
    assert.equal(await (await fetch(`http://127.0.0.1:${before.port}/`)).text(), 'hello');
    await host.start();
    const after = await host.client.get('lives');
    assert.deepEqual(after, before);
    assert.deepEqual(host.processesOf('lives'), [before.pid]);
  }
  // Adopted instances still stop gracefully, and a crash is still seen.
  process.kill(before.pid!, 'SIGKILL');
  const again = await until('it was started again', async () => {
    const status = await host.client.get('lives');
    return status?.state === 'ready' && status.pid !== before.pid ? status : null;
  });
  assert.equal(again.port, before.port);
  assert.equal(again.restarts, 1);
  await removed('lives');
});

test('what died while no agent ran is started again, and a stop under way is finished', async () => {
  await host.client.put(testSpec({ id: 'dies', digest, lane: 'dies/prod' }));
  await host.client.put(testSpec({ id: 'stops', digest, lane: 'stops/prod', stopGraceMs: 1_500 }));
  const dies = await untilState(host, 'dies', 'ready');
  const stops = await untilState(host, 'stops', 'ready');
  // Frozen: it cannot obey the SIGTERM before the agent dies.
  process.kill(stops.pid!, 'SIGSTOP');
  await host.client.remove('stops', 2);
  await host.kill('SIGKILL');
  process.kill(dies.pid!, 'SIGKILL');
  await host.start();
  await until('the stop is finished', async () => (await host.client.get('stops')) === null);
  assert.deepEqual(host.processesOf('stops'), []);
  const again = await until('it is ready again', async () => {
    const status = await host.client.get('dies');
    return status?.state === 'ready' && status.pid !== dies.pid ? status : null;
  });
  assert.deepEqual(host.processesOf('dies'), [again.pid]);
  await removed('dies');
});

test('a pid that now belongs to another process is not adopted, and not hurt', async () => {
  await host.client.put(testSpec({ id: 'reused', digest, lane: 'reused/prod' }));
  const { pid } = await untilState(host, 'reused', 'ready');
  await host.kill('SIGKILL');
  process.kill(pid!, 'SIGKILL');
  const path = join(host.directory, 'host', 'instances', 'reused.json');
  const envelope = JSON.parse(await readFile(path, 'utf8')) as { record: { run: { pid: number } } };
  // As if the kernel had given the number to this test's own process.
  envelope.record.run.pid = process.pid;
  await writeFile(path, JSON.stringify(envelope));
  await host.start();
  const again = await until('it is started again', async () => {
    const status = await host.client.get('reused');
    return status?.state === 'ready' && status.pid !== process.pid ? status : null;
  });
  assert.deepEqual(host.processesOf('reused'), [again.pid]);
  await removed('reused');
});

test('a clean end of everything leaves no process, and the next agent starts the instances again', async () => {
  await host.client.put(testSpec({ id: 'parked', digest, lane: 'parked/prod' }));
  const before = await untilState(host, 'parked', 'ready');
  await host.client.shutDown({ stopInstances: true });
  await until('no process is left', () => host.processesOf('parked').length === 0);
  await host.kill('SIGTERM');
  await host.start();
  const after = await untilState(host, 'parked', 'ready');
  assert.equal(after.port, before.port);
  assert.equal(after.restarts, 0);
  await removed('parked');
});

test('the control plane is refused when a record cannot be read, instead of starting a second copy', async () => {
  await host.client.put(testSpec({ id: 'torn', digest, lane: 'torn/prod' }));
  const { pid } = await untilState(host, 'torn', 'ready');
  await host.kill('SIGKILL');
  const path = join(host.directory, 'host', 'instances', 'torn.json');
  const good = await readFile(path, 'utf8');
  await writeFile(path, good.slice(0, -20));
  await assert.rejects(host.start({ NODE_NO_WARNINGS: '1' }), /the agent ended/);
  await writeFile(path, good);
  await host.start();
  assert.deepEqual(host.processesOf('torn'), [pid]);
  await removed('torn');
});

/** Mulberry32: the kills of a failed run can be made again from its seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SEED = Number(process.env.SEED ?? 20260101);
const LANE = 'random/prod';
const ROUNDS = Number(process.env.ROUNDS ?? 12);

test(`kill -9 at random moments starts nothing twice and leaks nothing (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  const random = generator(SEED);
  const wanted = new Set<string>();
  let next = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const orders: Promise<unknown>[] = [];
    for (let i = 0; i < 2; i++) {
      const id = `r${next++}`;
      wanted.add(id);
      orders.push(
        host.client.put(testSpec({ id, digest, lane: LANE, fence: round })).catch(() => wanted.delete(id)),
      );
    }
    const victim = [...wanted][Math.floor(random() * wanted.size)];
    if (random() < 0.6 && victim !== undefined) {
      wanted.delete(victim);
      orders.push(host.client.remove(victim, round).catch(() => {}));
    }
    await delay(random() * 150);
    await host.kill('SIGKILL');
    await Promise.all(orders);
    await host.start();
  }
  // What was ordered may or may not have been heard before a kill: the agent's own list is the truth, held to the law.
  await until('each instance has exactly one process and no other process runs', async () => {
    const now = await host.client.list(LANE);
    const right = now.every(
      ({ id, pid, state }) => state === 'ready' && host.processesOf(id).join() === String(pid),
    );
    return right && host.processesOf('*').length === now.length;
  });
  const kept = new Set((await host.client.list(LANE)).map(({ id }) => id));
  assert.ok(wanted.size > 0, 'nothing was acknowledged: the test is void');
  for (const id of wanted) assert.ok(kept.has(id), `${id} was acknowledged and is gone`);
  for (const id of kept) await removed(id, ROUNDS);
  assert.deepEqual(host.processesOf('*'), []);
  assert.deepEqual(await readdir(join(host.directory, 'host', 'instances')), []);
});
