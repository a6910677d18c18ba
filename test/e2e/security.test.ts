import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { dataDirectory, type Runtime, readRuntime } from '../../src/platform/data-directory.ts';
import { freePort } from '../../src/platform/ports.ts';
import { createInstallation, type Installation } from './harness/installation.ts';
import { platformFiles } from './harness/platform.ts';
import { processesOf } from './harness/processes.ts';
import { createService, serviceYaml } from './harness/service.ts';
import { until } from './harness/until.ts';
import { arrived, prepare, readRelease, release } from './harness/work.ts';

/** Promises 3, 6, 8, 9 and 10 of SECURITY.md as a stranger, a build step and a thief of a token would try them. */

let installation: Installation;
let runtime: Runtime;

before(async () => {
  installation = await createInstallation();
  await installation.start();
  runtime = await readRuntime(dataDirectory(installation.root));
  const { first } = await prepare(installation);
  await arrived(installation, await release(installation, 'app', first));
});
after(() => installation?.close());

/** One raw request; fetch does not let Host be chosen. */
function raw(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, method, path, headers }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode ?? 0, body });
    });
    call.once('error', reject);
    if (method !== 'GET') call.setHeader('content-length', 2);
    call.end(method === 'GET' ? undefined : '{}');
  });
}

test('a page of another origin, and one that rebinds a name to us, is refused at every port of ours', async () => {
  const { server, router, agent, controlToken } = runtime;
  const ports = [
    [server.port, '/v1/services', `Bearer ${installation.api().token}`],
    [server.port, '/v2/', `Bearer ${installation.api().token}`],
    [router.port, '/stats', `Bearer ${controlToken}`],
    [agent.port, '/instances', `Bearer ${controlToken}`],
  ] as const;
  for (const [port, path, authorization] of ports) {
    const host = `127.0.0.1:${port}`;
    const ask = (headers: Record<string, string>) =>
      raw(port, 'GET', path, { host, authorization, ...headers });
    assert.ok((await ask({})).status < 300, `${port}${path} answers its own`);
    for (const headers of [
      { host: `evil.example:${port}` },
      { host: 'evil.example' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
    ])
      assert.equal((await ask(headers)).status, 403, `${port}${path} with ${JSON.stringify(headers)}`);
  }
});

/** A stream as the holder of the token sees it; `ended` tells how long ago it was cut. */
async function openStream(token: string): Promise<{ ended(): boolean }> {
  const answer = await fetch(`${installation.url()}/v1/stream?topics=entries,matrix`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(answer.status, 200);
  const reader = answer.body!.getReader();
  await reader.read();
  let ended = false;
  void (async () => {
    while (!(await reader.read()).done);
  })()
    .catch(() => {})
    .finally(() => {
      ended = true;
    });
  return { ended: () => ended };
}

// Before strangers knock: a source that failed often is slowed down, but for tokens that were seen to be good.
test('a token that is revoked, or loses its grant, opens nothing any more and its streams are cut within 5 s', async () => {
  const access = {
    'access.yaml': `apiVersion: slipway.dev/v1
kind: Access
grants:
  - { subject: "token:guest", role: viewer, services: ["*"], environments: ["*"] }
`,
  };
  await installation.api().post('/v1/platform', { files: { ...platformFiles(), ...access } });
  const create = (name: string, roles: string[]) =>
    installation.api().post<{ id: string; token: string }>('/v1/tokens', { name, roles });
  const thief = await create('thief', ['viewer']);
  const guest = await create('guest', []);
  const streams = await Promise.all([thief, guest].map(({ token }) => openStream(token)));
  const revokedMs = Date.now();
  assert.equal((await installation.api().call('DELETE', `/v1/tokens/${thief.id}`)).status, 200);
  await installation.api().post('/v1/platform', { files: platformFiles() });
  for (const [{ token }, status] of [
    [thief, 401],
    [guest, 403],
  ] as const) {
    const answer = await fetch(`${installation.url()}/v1/services`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(answer.status, status);
  }
  await until('the streams are cut', () => streams.every((stream) => stream.ended()), 5_000);
  console.log(`the streams of a revoked token and a lost grant were cut after ${Date.now() - revokedMs} ms`);
});

interface OpenApi {
  paths: Record<string, Record<string, { operationId?: string; security?: unknown[] }>>;
}

/** Open by design: they check a credential of their own (a forge's signature, the token in the body), or forget one. */
const OPEN_WRITES = ['receiveHook', 'signIn', 'signOut'];

test('nothing is written by a stranger: no endpoint, no push, no order to router or agent, no database', async () => {
  const document = (await (await fetch(`${installation.url()}/v1/openapi.json`)).json()) as OpenApi;
  let writes = 0;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { operationId }] of Object.entries(methods)) {
      if (method === 'get' || OPEN_WRITES.includes(operationId ?? '')) continue;
      const url = path.replaceAll(/\{[^}]+\}/g, 'app');
      for (const headers of [
        {},
        { authorization: 'Bearer slipway_guess' },
        { cookie: 'slipway_session=guess' },
      ]) {
        const { status } = await raw(runtime.server.port, method.toUpperCase(), url, {
          host: `127.0.0.1:${runtime.server.port}`,
          'content-type': 'application/json',
          ...headers,
        });
        assert.equal(status, 401, `${method} ${url} ${JSON.stringify(headers)}`);
      }
      writes++;
    }
  }
  assert.ok(writes >= 15, `${writes} endpoints were tried`);
  const { router, agent, server, postgresPort } = runtime;
  const orders: [number, string, string][] = [
    [server.port, 'POST', '/v2/app/blobs/uploads/'],
    [server.port, 'PUT', '/v2/app/manifests/latest'],
    [server.port, 'DELETE', '/v2/app/manifests/latest'],
    [router.port, 'PUT', '/lanes/app/prod'],
    [router.port, 'DELETE', '/lanes/app/prod?fence=999999999'],
    [agent.port, 'PUT', '/instances/x'],
    [agent.port, 'POST', '/shutdown'],
  ];
  for (const [port, method, path] of orders)
    for (const authorization of ['', `Bearer ${installation.api().token}x`, 'Basic c2xpcHdheTpzbGlwd2F5'])
      assert.ok(
        [401, 429].includes(
          (
            await raw(port, method, path, {
              host: `127.0.0.1:${port}`,
              authorization,
              'content-type': 'application/json',
            })
          ).status,
        ),
        `${method} ${path}`,
      );
  for (const password of ['', 'slipway', 'postgres']) {
    const client = new pg.Client({
      connectionString: `postgres://slipway:${password}@127.0.0.1:${postgresPort}/slipway`,
    });
    client.on('error', () => {});
    await assert.rejects(client.connect(), /password/);
  }
});

test('everything of ours listens on loopback only', async () => {
  const inodes = new Set<string>();
  for (const { pid } of processesOf(installation.root))
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => []))
      inodes.add(
        (await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')).replace(/^socket:\[(\d+)\]$/, '$1'),
      );
  const open: string[] = [];
  for (const table of ['tcp', 'tcp6'])
    for (const line of (await readFile(`/proc/net/${table}`, 'utf8')).split('\n').slice(1)) {
      const [, address = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const loopback =
        /^0100007F:/.test(address) ||
        /^0{24}01000000:/.test(address) ||
        /^0{16}FFFF00000100007F:/.test(address);
      if (state === '0A' && inodes.has(inode) && !loopback) open.push(address);
    }
  assert.deepEqual(open, []);
});

/** One line an attempt: its name, then what the step could see of it. Runs with sh -e, so nothing may fail. */
function nosyStep(root: string): string {
  const { server, postgresPort, agent } = runtime;
  const connect = (port: number | null) =>
    `node -e "require('net').connect(${port},'127.0.0.1').on('connect',()=>{console.log('IN');process.exit()}).on('error',(e)=>console.log(e.code))"`;
  const attempts: Record<string, string> = {
    keys: `ls ${root}/keys`,
    runtime: `cat ${root}/run/runtime.json`,
    token: `cat ${root}/run/admin-token`,
    password: `cat ${root}/postgres.password`,
    data: `ls -A ${root}`,
    environments:
      'cat /proc/[0-9]*/environ | tr "\\0" "\\n" | grep -E "[S]LIPWAY_|[D]ATABASE_URL|HOME=/[r]oot"',
    processes: 'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -E "[m]ain.ts"',
    shadow: 'cat /etc/shadow',
    server: connect(server.port),
    postgres: connect(postgresPort),
    agent: connect(agent.port),
    outside: 'touch /usr/bin/owned /etc/owned && echo WROTE',
    root: 'id -u | grep -x 0',
  };
  const lines = Object.entries(attempts).map(
    ([name, command]) => `echo "${name}: $( (${command}) 2>/dev/null | head -c 300 || true)"`,
  );
  return ['run: |', ...lines, 'exit 1'].join('\n        ');
}

test('a build step sees no key, no data, no other process, and reaches no network it was not given', async () => {
  const service = await createService(installation.home, 'nosy', {
    yaml: serviceYaml('nosy', nosyStep(installation.root)),
  });
  const { sha } = await service.commit();
  await installation.api().post('/v1/services', { repository: service.repository, branch: 'main' });
  const id = await release(installation, 'nosy', sha);
  await until('the release ends', async () => (await readRelease(installation, id)).status === 'failed');
  const [build] = await installation
    .database()
    .query<{ id: string; sandbox: string }>('select id, sandbox from builds where release_id = $1', [id]);
  assert.equal(build?.sandbox, 'bubblewrap');
  const answer = await fetch(`${installation.url()}/v1/builds/${build?.id}/logs`, {
    headers: { authorization: `Bearer ${installation.api().token}` },
  });
  const log = await answer.text();
  const said = (name: string) => new RegExp(`^.*\\b${name}: ?(.*)$`, 'm').exec(log)?.[1]?.trim();
  for (const name of [
    'keys',
    'runtime',
    'token',
    'password',
    'data',
    'environments',
    'processes',
    'shadow',
    'outside',
    'root',
  ])
    assert.equal(said(name), '', `${name}\n${log}`);
  for (const name of ['server', 'postgres', 'agent'])
    assert.match(said(name) ?? '', /^E[A-Z]+$/, `${name}\n${log}`);
});

/** The secret as it is and as logs, URLs, JSON and basic credentials would carry it. */
function forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = (text: string) => Buffer.from(text).toString('base64').replace(/=+$/, '');
  // Inside longer base64 only the whole groups in the middle stay the same, at each of three offsets.
  const inner = ['', 'a', 'ab'].map((before) => base64(before + secret).slice(before === '' ? 0 : 4, -4));
  return [secret, bytes.toString('hex'), bytes.toString('base64url'), encodeURIComponent(secret), ...inner];
}

async function files(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

test('no secret stands in a log, an answer, the ledger, an image, or the command line or environment of an instance', async () => {
  const data = dataDirectory(installation.root);
  const secrets = {
    'control token': runtime.controlToken,
    'admin token': installation.api().token,
    'database password': new URL(runtime.databaseUrl).password,
  };
  // What provokes errors and their words: credentials in places where they do not belong.
  const { token } = installation.api();
  await fetch(`${installation.url()}/v1/services?token=${token}`);
  await fetch(`${installation.url()}/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: `${token}x` }),
  });
  await installation.api().call('POST', '/v1/services', {
    repository: `http://user:${token}@127.0.0.1:${await freePort()}/x.git`,
    branch: 'main',
  });
  await installation.api().call('POST', '/v1/services', { repository: `/${token}`, branch: 'main' });
  const places = new Map<string, string>();
  for (const directory of ['logs', 'host', 'blobs', 'cache', 'router', 'repos', 'work'])
    for (const path of await files(join(data.root, directory)))
      places.set(path, await readFile(path, 'latin1').catch(() => ''));
  places.set('supervisor.log', await readFile(join(installation.home, 'supervisor.log'), 'utf8'));
  const rows = await installation.database().query<{ body: string }>(
    `select encode(body, 'escape') as body from ledger_entries union all select encode(body, 'escape') from ledger_pending
     union all select text from build_logs union all select services::text from services union all select tokens::text from tokens
     union all select rollouts::text from rollouts union all select decisions::text from decisions`,
  );
  for (const [n, { body }] of rows.entries()) places.set(`row ${n}`, body);
  const document = (await (await fetch(`${installation.url()}/v1/openapi.json`)).json()) as OpenApi;
  for (const [path, { get }] of Object.entries(document.paths)) {
    if (get === undefined || path === '/v1/stream') continue;
    const url = path
      .replaceAll('{service}', 'app')
      .replaceAll('{environment}', 'prod')
      .replaceAll(/\{[^}]+\}/g, '0');
    const answer = await fetch(`${installation.url()}${url}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    places.set(`GET ${url}`, await answer.text());
  }
  for (const { pid, command } of processesOf(installation.root)) {
    places.set(`command line of ${pid}`, command.join(' '));
    const isInstance = command.at(-1) === 'server.mjs';
    if (isInstance)
      places.set(
        `environment of instance ${pid}`,
        await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''),
      );
  }
  assert.ok(places.size > 60, `${places.size} places were searched`);
  const found = [...places].flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      forms(secret).some((form) => text.includes(form)) ? [`${name} in ${place}`] : [],
    ),
  );
  assert.deepEqual(found, []);
  for (const secret of Object.values(secrets)) {
    // The search finds what is there, also inside the credentials of a basic login.
    for (const text of [secret, Buffer.from(`slipway:${secret}`).toString('base64')])
      assert.ok(forms(secret).some((form) => text.includes(form)));
  }
});

test('what holds secrets is for its owner alone', async () => {
  const open = (...args: string[]) =>
    execFileSync('find', [...args, '-perm', '/077'], { encoding: 'utf8' }).trim();
  assert.equal(
    open(installation.root, '-maxdepth', '1'),
    '',
    'no file or folder of the data directory is open to others',
  );
  const { keys, run } = dataDirectory(installation.root);
  assert.equal(open(keys, run, '-not', '-name', '*.pub'), '', 'nor is a key or a token');
});
