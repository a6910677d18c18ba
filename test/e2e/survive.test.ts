import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sleep } from '../../src/platform/clock.ts';
import { acknowledged } from './harness/acknowledged.ts';
import { Times } from './harness/figures.ts';
import { createInstallation, type Installation } from './harness/installation.ts';
import { assertSound, instances, routeOf, settled } from './harness/laws.ts';
import { type Load, startLoad } from './harness/load.ts';
import { instanceLeaders, isAlive } from './harness/processes.ts';
import { chooseSeed, seeded } from './harness/seed.ts';
import { createService, type ScratchService, serviceYaml } from './harness/service.ts';
import { patient, until } from './harness/until.ts';
import { activeRollout, arrived, laneUrl, prepare, readRelease, release } from './harness/work.ts';

const SEED = chooseSeed();
const AGAIN = `SLIPWAY_SEED=${SEED} makes the same choices`;
const RPS = 80;
const ROUNDS = 4;
/** What the issue promises: the rollout goes on this soon after the restart. */
const RESUME_MS = 5_000;

const random = seeded(SEED);
const resumes = new Times('release or rollout goes on after the worker was started again');
const answers = new Times('server answers after it was started again');
const databaseResumes = new Times('rollout goes on after PostgreSQL was started again');
const routerServes = new Times('lane serves after the router was started again');

let installation: Installation;
let app: ScratchService;
let load: Load;

before(async () => {
  installation = await createInstallation();
  await installation.start();
  const { service, first } = await prepare(installation);
  app = service;
  await arrived(installation, await release(installation, 'app', first));
  load = startLoad(await laneUrl(installation, 'app'), RPS);
});

after(async () => {
  await load?.stop();
  await installation?.close();
  for (const figure of [resumes, answers, databaseResumes, routerServes]) console.log(String(figure));
});

async function releaseNext(): Promise<{ id: string; version: number }> {
  const { sha, version } = await app.commit();
  return { id: await release(installation, 'app', sha), version };
}

function prodRollout(): Promise<{ id: string; generation: number }> {
  return until('a rollout is active in prod', () => activeRollout(installation, 'app'), 30_000);
}

/** Changes with every state change and every entry, whoever makes it. */
async function progress(): Promise<string> {
  const [row] = await installation.database().query<{ at: string }>(
    `select concat((select coalesce(sum(generation), 0) from rollouts), ' ', (select coalesce(sum(generation), 0) from promotions),
       ' ', (select count(*) from ledger_entries) + (select count(*) from ledger_pending)) as at`,
  );
  return row?.at ?? '';
}

/** How long after `fromMs` something changes in the rows; null when there was nothing to go on with. */
async function goesOn(fromMs: number): Promise<number | null> {
  const start = await until('PostgreSQL answers', progress, patient(RESUME_MS));
  const [open] = await installation.database().query<{ count: number }>(
    `select (select count(*) from rollouts where ended_at is null) + (select count(*) from releases where finished_at is null)
       + (select count(*) from promotions where status in ('gating', 'rolling') and ended_at is null) as count`,
  );
  if (open?.count === 0) return null;
  await until('the work goes on', async () => (await progress()) !== start, patient(RESUME_MS));
  return Date.now() - fromMs;
}

function assertNothingLost(fromMs: number): void {
  assert.deepEqual(load.lostBetween(fromMs, Date.now()), [], 'no request is lost');
}

const said = () => acknowledged(installation);
type Said = ReturnType<typeof said>;

/** What people and machines ask for in the moment before a kill, one after the other until nobody answers. */
async function writeUntilDead(writes: Said, round: number): Promise<void> {
  const exists = (table: string, id: unknown) =>
    installation
      .database()
      .query(`select 1 from ${table} where ${table === 'services' ? 'name' : 'id'} = $1`, [id]);
  const extra = await createService(installation.home, `extra-${round}`, {
    yaml: serviceYaml(`extra-${round}`, 'run: exit 1'),
  });
  await extra.commit();
  const once = (path: string, body: object, table: string, key: string) =>
    writes.write(path, body, async ({ body: answer }) =>
      assert.equal((await exists(table, answer[key])).length, 1, `${path}: ${JSON.stringify(answer)}`),
    );
  const asked = [
    once('/v1/services', { repository: extra.repository, branch: 'main' }, 'services', 'name'),
    once('/v1/services/app/environments/held/promotions', { release: '1' }, 'promotions', 'id'),
    once('/v1/services/app/releases', { commit: 'main' }, 'releases', 'id'),
  ];
  for (
    let n = 0;
    (await once('/v1/tokens', { name: `round-${round}-${n}` }, 'tokens', 'id')).status === 201;
    n++
  );
  await Promise.all(asked);
}

async function resumed(name: 'server' | 'worker', pid: number): Promise<void> {
  const restartedMs = await installation.restarted(name, pid);
  if (name === 'worker') {
    const ms = await goesOn(restartedMs);
    if (ms !== null) resumes.add(ms);
    return;
  }
  const health = () => installation.api().call('GET', '/v1/health');
  await until('the server answers', async () => (await health()).status === 200, patient(RESUME_MS));
  answers.add(Date.now() - restartedMs);
}

test(`kill -9 of server and worker while canaries roll: it goes on, nothing twice, nothing lost (${AGAIN})`, async () => {
  const fromMs = Date.now();
  const writes = said();
  for (let round = 0; round < ROUNDS; round++) {
    const { id } = await releaseNext();
    // Most kills meet the canary; some the build, the evidence and the gate before it.
    const meets = round === 0 ? 'release' : random.pick(['rollout', 'rollout', 'release'] as const);
    if (meets === 'rollout') await prodRollout();
    await sleep(random.between(0, meets === 'rollout' ? 3_500 : 2_000));
    const both = random.pick([
      ['server', 'worker'],
      ['worker', 'server'],
    ] as const);
    const victims = round === ROUNDS - 1 ? (['server'] as const) : both;
    const known = writes.acknowledged();
    const writing = writeUntilDead(writes, round);
    await until('a write is acknowledged', () => writes.acknowledged() > known);
    await sleep(random.between(0, 500));
    const killed = victims.map((name) => ({ name, pid: installation.kill(name) }));
    await writing;
    await Promise.all(killed.map(({ name, pid }) => resumed(name, pid)));
    await arrived(installation, id);
  }
  const { acknowledged: kept, unanswered } = await writes.check();
  console.log(`${kept} writes were acknowledged, ${unanswered} were cut off by a kill`);
  assert.ok(kept >= ROUNDS && unanswered > 0, 'without both this test is void');
  await assertSound(installation);
  assertNothingLost(fromMs);
});

test(`a pause and an approval that were acknowledged stand after kill -9 of everything that thinks (${AGAIN})`, async () => {
  const { id } = await releaseNext();
  const { id: rollout } = await prodRollout();
  const { body } = await until('a promotion to held waits for an approval', async () => {
    const view = await readRelease(installation, id);
    if (view.digest === null) return null;
    const asked = await installation
      .api()
      .call<{ id: string; status: string }>('POST', '/v1/services/app/environments/held/promotions', {
        release: id,
      });
    return asked.body.status === 'awaiting-approval' ? asked : null;
  });
  const paused = await installation
    .api()
    .call('POST', `/v1/rollouts/${rollout}/pause`, { reason: 'a look at it' });
  const approved = await installation
    .api()
    .call('POST', `/v1/promotions/${body.id}/approve`, { reason: 'yes' });
  assert.deepEqual([paused.status, approved.status], [200, 200]);
  const pids = (['worker', 'server'] as const).map((name) => [name, installation.kill(name)] as const);
  for (const [name, pid] of pids) await installation.restarted(name, pid);
  const view = () => installation.api().get<{ paused: { reason: string } | null }>(`/v1/rollouts/${rollout}`);
  await until('the rollout is paused', async () => (await view()).paused?.reason === 'a look at it');
  await until('the approved promotion arrives', async () => {
    const promotion = await installation
      .api()
      .get<{ status: string; approvals: unknown[] }>(`/v1/promotions/${body.id}`);
    assert.equal(promotion.approvals.length, 1);
    return promotion.status === 'succeeded';
  });
  await sleep(1_500);
  assert.equal((await view()).paused?.reason, 'a look at it', 'a pause lasts until somebody ends it');
  await installation.api().post(`/v1/rollouts/${rollout}/resume`, { reason: 'fine' });
  await arrived(installation, id);
  await assertSound(installation);
});

test(`PostgreSQL killed, and stopped, while a canary rolls: it goes on, and the traffic never noticed (${AGAIN})`, async () => {
  const fromMs = Date.now();
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    const { id } = await releaseNext();
    await prodRollout();
    await sleep(random.between(0, 3_000));
    const old = installation.postmaster();
    process.kill(old, signal);
    const restartedMs = await installation.restarted('postgres', old);
    const ms = await goesOn(restartedMs);
    if (ms !== null) databaseResumes.add(ms);
    await arrived(installation, id);
  }
  await assertSound(installation);
  assertNothingLost(fromMs);
});

test(`an instance killed, of the old version and of the new: started again, requests retried, the rollout goes on (${AGAIN})`, async () => {
  const fromMs = Date.now();
  const { id } = await releaseNext();
  const { id: rollout } = await prodRollout();
  await until(
    'the canary has traffic',
    async () => (await routeOf(installation, 'app/prod'))?.weights.canary === 20,
  );
  for (const group of ['stable', 'canary'] as const) {
    const route = await routeOf(installation, 'app/prod');
    const victim = random.pick(route!.backends.filter((backend) => backend.group === group));
    const [before] = (await instances(installation, 'app/prod')).filter(
      (instance) => instance.id === victim.id,
    );
    process.kill(before!.pid!, 'SIGKILL');
    await until(`${group} instance ${victim.id} runs again, or has been replaced`, async () => {
      const now = (await instances(installation, 'app/prod')).find((instance) => instance.id === victim.id);
      return now === undefined || (now.state === 'ready' && now.pid !== before!.pid);
    });
  }
  const view = await arrived(installation, id);
  assert.equal(view.promotions.find(({ environment }) => environment === 'prod')?.rolloutId, rollout);
  await assertSound(installation);
  assertNothingLost(fromMs);
});

test(`the router killed with a frozen control plane: the lane serves again with the same weights (${AGAIN})`, async () => {
  const { id } = await releaseNext();
  const { id: rollout } = await prodRollout();
  await until(
    'the canary has traffic',
    async () => (await routeOf(installation, 'app/prod'))?.weights.canary === 20,
  );
  await installation.api().post(`/v1/rollouts/${rollout}/pause`, { reason: 'hold it' });
  await until(
    'it is paused',
    async () => (await installation.api().get<{ paused: unknown }>(`/v1/rollouts/${rollout}`)).paused,
  );
  const weights = (await routeOf(installation, 'app/prod'))!.weights;
  const frozen = (['server', 'worker', 'agent'] as const).map((name) => installation.pid(name));
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  try {
    const killedMs = Date.now();
    const restartedMs = await installation.restarted('router', installation.kill('router'));
    const url = await laneUrl(installation, 'app');
    await until('the lane serves', async () => (await fetch(url)).status === 200, patient(2_000));
    routerServes.add(Date.now() - restartedMs);
    assert.deepEqual((await routeOf(installation, 'app/prod'))!.weights, weights);
    const servedMs = Date.now();
    await sleep(1_000);
    assert.deepEqual(
      load.lostBetween(servedMs + 300, Date.now()),
      [],
      'it serves without losses from then on',
    );
    assert.ok(
      load.lostBetween(killedMs, servedMs + 300).length < ((servedMs - killedMs + 300) / 1_000) * RPS * 2,
    );
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
  }
  await installation.api().post(`/v1/rollouts/${rollout}/resume`, { reason: 'go on' });
  await arrived(installation, id);
  await assertSound(installation);
});

test(`the agent killed: instances live on, are adopted, never doubled (${AGAIN})`, async () => {
  const fromMs = Date.now();
  const { id } = await releaseNext();
  await prodRollout();
  await sleep(random.between(0, 2_500));
  const before = instanceLeaders(installation.root);
  const agent = installation.kill('agent');
  for (const [instance, pids] of before) assert.ok(pids.every(isAlive), `${instance} lives on`);
  await installation.restarted('agent', agent);
  await arrived(installation, id);
  for (const [instance, pids] of instanceLeaders(installation.root))
    assert.equal(pids.length, 1, `${instance} runs once`);
  await assertSound(installation);
  assertNothingLost(fromMs);
  await settled(installation);
});
