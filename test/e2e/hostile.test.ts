import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Digest } from '../../src/kernel/digest.ts';
import { sleep } from '../../src/platform/clock.ts';
import { freePort } from '../../src/platform/ports.ts';
import { wake } from '../../src/platform/queue/queue.ts';
import { pushUnsigned, signedByStranger } from './harness/images.ts';
import { createInstallation, type Installation, NotStarted } from './harness/installation.ts';
import { assertSound } from './harness/laws.ts';
import { processesOf } from './harness/processes.ts';
import { createService, type ScratchService, serviceYaml } from './harness/service.ts';
import { until } from './harness/until.ts';
import { arrived, laneUrl, prepare, readRelease, release } from './harness/work.ts';

let installation: Installation;
let app: ScratchService;
let edgePort: number;

before(async () => {
  edgePort = await freePort();
  installation = await createInstallation();
  await installation.start();
  const { service, first } = await prepare(installation, 'app', { edgePort });
  app = service;
  await arrived(installation, await release(installation, 'app', first));
});
after(() => installation?.close());

async function occupy(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function free(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

interface Promotion {
  id: string;
  status: string;
  reason: string | null;
  decisionId: string | null;
  rolloutId: string | null;
  endedAt: string | null;
}

/** Promotes and waits for the end. */
async function promote(environment: string, body: object): Promise<Promotion> {
  const { id } = await installation
    .api()
    .post<Promotion>(`/v1/services/app/environments/${environment}/promotions`, body);
  return until('the promotion ends', async () => {
    const promotion = await installation.api().get<Promotion>(`/v1/promotions/${id}`);
    if (promotion.endedAt === null) throw new Error(JSON.stringify(promotion));
    return promotion;
  });
}

test('a port that is taken: nothing starts, the error says which, nothing is left', async () => {
  const port = await freePort();
  const squatter = await occupy(port);
  const second = await createInstallation();
  try {
    await assert.rejects(second.start({ port }), (error: unknown) => {
      assert.ok(error instanceof NotStarted, String(error));
      assert.equal(error.failure.code, 'port_taken');
      assert.match(error.failure.message, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use`));
      assert.match(error.failure.hint ?? '', /--port/);
      return true;
    });
    assert.deepEqual(processesOf(second.root), []);
    await free(squatter);
    await second.start({ port });
    assert.equal(second.url(), `http://127.0.0.1:${port}`);
  } finally {
    squatter.close();
    await second.close();
  }
});

test("a lane's port that somebody else has: said in the rollout and on the home page, healed when it is free", async () => {
  const squatter = await occupy(edgePort);
  const entries = () =>
    installation.database().query('select 1 from ledger_entries union all select 1 from ledger_pending');
  const { id } = await installation
    .api()
    .post<Promotion>('/v1/services/app/environments/edge/promotions', { release: '1' });
  const taken = new RegExp(`port ${edgePort} on 127\\.0\\.0\\.1 is in use`);
  try {
    await until('the rollout says why it does not go on', async () => {
      const { rolloutId } = await installation.api().get<Promotion>(`/v1/promotions/${id}`);
      const { reasons } = await installation.api().get<{ reasons: string[] }>(`/v1/rollouts/${rolloutId}`);
      assert.match(reasons.join('\n'), taken);
      return true;
    });
    const before = (await entries()).length;
    await until('so does the matrix', async () => {
      const { services } = await installation
        .api()
        .get<{ services: { cells: { environment: string; moving: { reason: string } | null }[] }[] }>(
          '/v1/matrix?service=app',
        );
      const cell = services[0]?.cells.find(({ environment }) => environment === 'edge');
      assert.match(cell?.moving?.reason ?? '', taken);
      return true;
    });
    await sleep(2_000);
    assert.ok((await entries()).length - before <= 12, 'a failing order does not fill the ledger');
  } finally {
    await free(squatter);
  }
  await until('the promotion arrives', async () => {
    const { status, reason } = await installation.api().get<Promotion>(`/v1/promotions/${id}`);
    if (status !== 'succeeded') throw new Error(`${status}: ${reason}`);
    return true;
  });
  assert.equal((await fetch(await laneUrl(installation, 'app', 'edge'))).status, 200);
  await assertSound(installation);
});

test('git addresses that lead nowhere, or somewhere else: refused with the reason, nothing registered', async () => {
  const register = (repository: string) =>
    installation.api().call<{ code: string; detail: string; hint?: string }>('POST', '/v1/services', {
      repository,
      branch: 'main',
    });
  const cases: [string, number, string][] = [
    ['ftp://example.org/shop.git', 422, 'invalid_input'],
    ['ext::sh -c "touch /tmp/owned"', 422, 'invalid_input'],
    ['--upload-pack=touch /tmp/owned', 422, 'invalid_input'],
    [join(installation.home, 'nowhere'), 502, 'source_unreachable'],
    [`http://127.0.0.1:${await freePort()}/shop.git`, 502, 'source_unreachable'],
  ];
  for (const [repository, status, code] of cases) {
    const { status: given, body } = await register(repository);
    assert.deepEqual([given, body.code], [status, code], repository);
    assert.ok(body.detail.length > 10);
  }
  const { services } = await installation.api().get<{ services: { name: string }[] }>('/v1/services');
  assert.deepEqual(
    services.map(({ name }) => name),
    ['app'],
  );
});

test('a repository that vanishes: said with the service, the running version untouched, found again by itself', async () => {
  await rename(app.repository, `${app.repository}-away`);
  const { status, body } = await installation
    .api()
    .call('POST', '/v1/services/app/releases', { commit: 'main' });
  assert.deepEqual([status, body.code], [502, 'source_unreachable']);
  const looksAgain = (what: string, as: (problem: string | null) => boolean) =>
    until(what, async () => {
      await wake(installation.database(), 'source', 'app');
      await sleep(100);
      return as((await installation.api().get<{ problem: string | null }>('/v1/services/app')).problem);
    });
  await looksAgain('the service says so', (problem) =>
    /cannot be read|does not exist|no repository|not there/i.test(problem ?? ''),
  );
  assert.equal((await fetch(await laneUrl(installation, 'app'))).status, 200);
  await rename(`${app.repository}-away`, app.repository);
  await looksAgain('the service is well again', (problem) => problem === null);
  const again = await installation.api().call('POST', '/v1/services/app/releases', { commit: 'main' });
  assert.equal(again.status, 201);
});

/** Registers a service whose only commit cannot be built; gives its failed release. */
async function failing(name: string, step: string, files: Record<string, string> = {}) {
  const service = await createService(installation.home, name, { yaml: serviceYaml(name, step) });
  const { sha } = await service.commit({ files });
  await installation.api().post('/v1/services', { repository: service.repository, branch: 'main' });
  const id = await release(installation, name, sha);
  return until('the release fails', async () => {
    const view = await readRelease(installation, id);
    return view.status === 'failed' ? view : null;
  });
}

test('a lockfile that does not fit: the release fails and says how to mend it', async () => {
  const files = {
    'package.json': JSON.stringify({ name: 'locked', version: '1.0.0', dependencies: { left: '^1.0.0' } }),
    'package-lock.json': JSON.stringify({
      lockfileVersion: 3,
      packages: { '': { dependencies: { right: '^1.0.0' } } },
    }),
  };
  const { problem, digest } = await failing('locked', 'run: exit 0', files);
  assert.match(problem ?? '', /left is not in package-lock\.json/);
  assert.match(problem ?? '', /npm install/);
  assert.equal(digest, null);
});

test('a step that fails: the release says which and how, and the log is kept', async () => {
  const { id, problem } = await failing('broken', 'run: echo the oven is cold; exit 3');
  assert.match(problem ?? '', /test/);
  assert.match(problem ?? '', /3/);
  const [build] = await installation
    .database()
    .query<{ id: string }>('select id from builds where release_id = $1', [id]);
  const log = await fetch(`${installation.url()}/v1/builds/${build?.id}/logs`, {
    headers: { authorization: `Bearer ${installation.api().token}` },
  });
  assert.match(await log.text(), /the oven is cold/);
  await assertSound(installation);
});

test('an image that is not in the registry, one nobody signed, one signed by a stranger: denied with the reason', async () => {
  const [known] = await installation
    .database()
    .query<{ digest: Digest }>("select digest from lanes where service = 'app' and environment = 'dev'");
  const missing = await promote('dev', { digest: `sha256:${'5'.repeat(64)}` });
  assert.equal(missing.status, 'denied');
  assert.match(missing.reason ?? '', /not in the registry/);
  const unsigned = await promote('dev', {
    digest: await pushUnsigned(installation, 'app', known!.digest, 'a laptop'),
  });
  assert.equal(unsigned.status, 'denied');
  assert.match(unsigned.reason ?? '', /no provenance signed by the build key/);
  const strange = await promote('dev', {
    digest: await signedByStranger(installation, 'app', known!.digest),
  });
  assert.equal(strange.status, 'denied');
  const decision = await installation
    .api()
    .get<{ results: unknown; inputs: unknown }>(`/v1/decisions/${strange.decisionId}`);
  assert.match(JSON.stringify(decision), /the key that signed it is not trusted here/);
  const [lane] = await installation
    .database()
    .query("select digest from lanes where service = 'app' and environment = 'dev'");
  assert.deepEqual(lane, known, 'what runs is what ran');
  await assertSound(installation);
});
