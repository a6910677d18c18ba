import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { sleep } from '../../src/platform/clock.ts';
import { dataDirectory, readRuntime } from '../../src/platform/data-directory.ts';
import { Times } from './harness/figures.ts';
import { createInstallation, type Installation, MAIN } from './harness/installation.ts';
import { assertSound, instances, routeOf } from './harness/laws.ts';
import { startLoad } from './harness/load.ts';
import { instanceLeaders, processesOf } from './harness/processes.ts';
import { chooseSeed, seeded } from './harness/seed.ts';
import type { ScratchService } from './harness/service.ts';
import { patient, until } from './harness/until.ts';
import { activeRollout, arrived, laneUrl, prepare, release } from './harness/work.ts';

const SEED = chooseSeed();
const AGAIN = `SLIPWAY_SEED=${SEED} makes the same choices`;
const SECONDS = 1_000;

const random = seeded(SEED);
const gone = new Times('all but the instances have ended after the supervisor was killed');
const takesOver = new Times('the next supervisor is up after it was started');
const serves = new Times('the lane serves after the next supervisor was started');
const stops = new Times('Ctrl-C until the last process has gone');

let installation: Installation;
let app: ScratchService;

before(async () => {
  installation = await createInstallation();
  await installation.start();
  const { service, first } = await prepare(installation, 'app', { holdMs: 1_500 });
  app = service;
  await arrived(installation, await release(installation, 'app', first));
});

after(async () => {
  await installation?.close();
  for (const figure of [gone, takesOver, serves, stops]) console.log(String(figure));
});

async function rollingRelease(): Promise<string> {
  const { sha } = await app.commit();
  const id = await release(installation, 'app', sha);
  await until('a rollout is active in prod', () => activeRollout(installation, 'app'), 30 * SECONDS);
  return id;
}

async function ledgerSize(): Promise<number> {
  const [row] = await installation
    .database()
    .query<{ size: number }>('select coalesce(max(size), 0) as size from ledger_checkpoints');
  return row?.size ?? 0;
}

/** Processes that are not instances of a service. */
function ours(): string[] {
  const leaders = new Set([...instanceLeaders(installation.root).values()].flat());
  return processesOf(installation.root)
    .filter(({ pid }) => !leaders.has(pid))
    .map(({ pid, command }) => `${pid} ${command.slice(0, 4).join(' ')}`);
}

function childrenEnded(): Promise<true> {
  return until('the children have ended', () => assert.deepEqual(ours(), []) ?? true, 10 * SECONDS);
}

const runtime = () => readRuntime(dataDirectory(installation.root));

async function startAgain(url: URL): Promise<void> {
  const startedMs = Date.now();
  const starting = installation.start().then(() => takesOver.add(Date.now() - startedMs));
  await until('the lane serves', async () => (await fetch(url)).status === 200, 15 * SECONDS);
  serves.add(Date.now() - startedMs);
  await starting;
}

test(`the supervisor killed: its children end, instances live on, the next one takes over (${AGAIN})`, async () => {
  const id = await rollingRelease();
  await sleep(random.between(0, 4 * SECONDS));
  const before = {
    runtime: await runtime(),
    size: await ledgerSize(),
    url: await laneUrl(installation, 'app'),
  };
  const leaders = instanceLeaders(installation.root);
  assert.ok(leaders.size >= 2);
  const killedMs = Date.now();
  await installation.killSupervisor();
  await until(
    'the children have ended',
    () => (ours().length === 0 ? true : assert.fail(ours().join('\n'))),
    10 * SECONDS,
  );
  gone.add(Date.now() - killedMs);
  for (const [instance, pids] of leaders)
    assert.deepEqual(instanceLeaders(installation.root).get(instance), pids, `${instance} lives on`);
  await startAgain(before.url);
  const { databaseUrl: _, ...ports } = await runtime();
  const { databaseUrl: __, ...portsBefore } = before.runtime;
  assert.deepEqual(ports, portsBefore, 'the same ports and the same control token');
  assert.deepEqual(await laneUrl(installation, 'app'), before.url);
  await arrived(installation, id);
  assert.ok((await ledgerSize()) > before.size, 'the ledger goes on');
  await assertSound(installation);
});

test(`the supervisor killed and started at once: nobody waits for a dead one's children for long (${AGAIN})`, async () => {
  const id = await rollingRelease();
  await sleep(random.between(0, 4 * SECONDS));
  const [ports, url] = [await runtime(), await laneUrl(installation, 'app')];
  await installation.killSupervisor();
  await startAgain(url);
  assert.deepEqual(await runtime(), ports, 'the same ports');
  await arrived(installation, id);
  await assertSound(installation);
});

test(`with everything else dead, the router alone serves the lane from its disk (${AGAIN})`, async () => {
  const id = await rollingRelease();
  await until(
    'the canary has traffic',
    async () => (await routeOf(installation, 'app/prod'))?.weights.canary === 20,
  );
  const url = await laneUrl(installation, 'app');
  const weights = (await routeOf(installation, 'app/prod'))!.weights;
  await installation.killSupervisor();
  await childrenEnded();
  const router = spawn(process.execPath, [MAIN, 'router', '--data', installation.root], { stdio: 'ignore' });
  try {
    await until('the lane serves', async () => (await fetch(url)).status === 200, 5 * SECONDS);
    assert.deepEqual((await routeOf(installation, 'app/prod'))!.weights, weights);
    const load = startLoad(url, 200);
    await sleep(1_500);
    const { losses, versions } = await load.stop();
    assert.deepEqual(losses, []);
    assert.equal(versions.size, 2, 'both versions get their share');
  } finally {
    router.kill('SIGTERM');
    await once(router, 'exit');
  }
  await startAgain(url);
  await arrived(installation, id);
  await assertSound(installation);
});

test(`Ctrl-C in the middle of a rollout: no process left; the next start serves and goes on (${AGAIN})`, async () => {
  const id = await rollingRelease();
  await sleep(random.between(500, 3 * SECONDS));
  const [ports, url] = [await runtime(), await laneUrl(installation, 'app')];
  const pids = (await instances(installation)).map(({ pid }) => pid);
  const interruptedMs = Date.now();
  await installation.interrupt();
  const tookMs = Date.now() - interruptedMs;
  stops.add(tookMs);
  assert.ok(tookMs < patient(8 * SECONDS), `nothing had to be killed: it took ${tookMs} ms`);
  assert.deepEqual(processesOf(installation.root), [], 'no process is left');
  // As if something of the last run were still on its way out.
  const squatter = createServer().listen(ports.server.port, '127.0.0.1');
  setTimeout(() => squatter.close(), 1_500);
  await startAgain(url);
  assert.deepEqual(await runtime(), ports, 'the same ports');
  await arrived(installation, id);
  for (const { pid } of await instances(installation)) assert.ok(!pids.includes(pid), 'started anew');
  await assertSound(installation);
});

test('a second supervisor on the same data is refused and disturbs nothing', async () => {
  const child = spawn(process.execPath, [MAIN, 'up', '--data', installation.root, '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const late = setTimeout(() => child.kill('SIGKILL'), 20 * SECONDS);
  const [code] = (await once(child, 'exit')) as [number];
  clearTimeout(late);
  assert.equal(code, 8);
  assert.match(output, /"code":"invalid_state".*a Slipway \(pid \d+\) runs in/);
  await assertSound(installation);
});
