import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Digest, digestHex } from '../kernel/digest.ts';
import { isSlipwayError } from '../kernel/errors.ts';
import { type TestHost, testHost, testSpec, until, untilState } from './testing/host.ts';
import { pushImage, serverLayer, tarOf } from './testing/image-builder.ts';

let host: TestHost;
let digest: Digest;

before(async () => {
  host = await testHost();
  digest = await push();
  await host.start();
});
after(() => host.end());

/** A fresh image each time: `tag` makes its content its own. */
async function push(tag = 'plain', fields: Parameters<typeof pushImage>[2] = {}): Promise<Digest> {
  const layer = await serverLayer();
  const own = await tarOf([{ name: 'app/tag', content: tag }]);
  return (await pushImage(host.registry, 'shop', { layers: [layer, own], ...fields })).digest;
}

async function ask(port: number | null, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}

const code = (expected: string) => (error: unknown) => isSlipwayError(error) && error.code === expected;

async function removed(id: string, fence = 1): Promise<void> {
  await host.client.remove(id, fence);
  await until(`${id} is forgotten`, async () => (await host.client.get(id)) === null);
  assert.deepEqual(host.processesOf(id), []);
}

test('an instance becomes ready, serves, stops gracefully, and its log outlives it', async () => {
  const accepted = await host.client.put(
    testSpec({ id: 'one', digest, env: { VERSION: "v1 'quoted' $HOME\nand more" } }),
  );
  assert.equal(accepted.state, 'pulling');
  const ready = await untilState(host, 'one', 'ready');
  assert.equal(await ask(ready.port, '/'), "v1 'quoted' $HOME\nand more");
  assert.deepEqual(host.processesOf('one'), [ready.pid]);
  assert.deepEqual(
    (await host.client.list('shop/prod')).map(({ id }) => id),
    ['one'],
  );
  assert.deepEqual(await host.client.list('shop/dev'), []);
  await removed('one');
  assert.match(await host.client.logs('one'), /^listening as \d+\nstopping gracefully\nstopped\n$/);
  assert.equal(await host.client.logs('one', { tail: 1 }), 'stopped\n');
  await assert.rejects(host.client.logs('never'), code('not_found'));
});

test('a stop lets requests under way finish', async () => {
  await host.client.put(testSpec({ id: 'graceful', digest }));
  const { port } = await untilState(host, 'graceful', 'ready');
  const answers = Promise.all(Array.from({ length: 10 }, () => ask(port, '/slow')));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await host.client.remove('graceful', 1);
  assert.deepEqual(new Set(await answers), new Set(['slow but done']));
  await until('it is forgotten', async () => (await host.client.get('graceful')) === null);
});

test('what ignores SIGTERM is killed after the grace, with its children', async () => {
  const source = `
    const { spawn } = require('node:child_process');
    process.on('SIGTERM', () => {});
    spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { detached: true });
    require('node:http').createServer((_, r) => r.end()).listen(process.env.PORT, '127.0.0.1');`;
  const stubborn = await push('stubborn', { layers: [await serverLayer(source)] });
  await host.client.put(testSpec({ id: 'stubborn', digest: stubborn, stopGraceMs: 300 }));
  await untilState(host, 'stubborn', 'ready');
  assert.equal(host.processesOf('stubborn').length, 2, 'the child is in a session of its own');
  const began = Date.now();
  await removed('stubborn');
  assert.ok(Date.now() - began >= 300);
});

test('the environment, descriptors and files of the agent do not reach an instance', async () => {
  await writeFile(join(host.directory, 'secret'), 'token');
  await host.client.put(
    testSpec({
      id: 'apart',
      digest,
      env: { SLIPWAY_DEPLOYMENT_ID: 'dep-1' },
      resources: { memoryBytes: null, openFiles: 128 },
    }),
  );
  const { port } = await untilState(host, 'apart', 'ready');
  const env = JSON.parse(await ask(port, '/env')) as Record<string, string>;
  assert.deepEqual(Object.keys(env).sort(), [
    'FROM_IMAGE',
    'HOME',
    'HOST',
    'PATH',
    'PORT',
    'SLIPWAY_AGENT_ID',
    'SLIPWAY_DEPLOYMENT_ID',
    'SLIPWAY_INSTANCE',
    'SLIPWAY_INSTANCE_RUN',
    'TMPDIR',
  ]);
  assert.equal(env.SLIPWAY_DEPLOYMENT_ID, 'dep-1');
  const descriptors = JSON.parse(await ask(port, '/fds')) as string[];
  const foreign = descriptors.filter(
    (target) =>
      !/^(socket:|anon_inode:|pipe:|\/dev\/null|\/proc\/|$)/.test(target) && !target.endsWith('/apart.log'),
  );
  assert.deepEqual(foreign, []);
  assert.match(await ask(port, '/limits'), /Max open files\s+128\s+128/);
  assert.match(await ask(port, '/cwd'), new RegExp(`/host/images/${digestHex(digest)}/rootfs/app$`));
  const { enforced } = (await host.client.health()) as { enforced: { filesystem: string } };
  if (enforced.filesystem === 'mount-namespace') {
    assert.equal(await ask(port, `/exists?${encodeURIComponent(join(host.directory, 'secret'))}`), 'false');
    assert.equal(await ask(port, '/write'), 'EROFS');
  }
  await removed('apart');
});

test('a hostile image environment is obeyed by the program alone, not by the launcher', async () => {
  const trap = join(host.directory, 'trap');
  await writeFile(trap, `echo "trapped $0" >> ${trap}.sprung\n`);
  const hostile = await push('hostile', {
    env: [
      `BASH_ENV=${trap}`,
      `ENV=${trap}`,
      'SHELLOPTS=xtrace',
      'UID=7',
      'BASH_FUNC_exec%%=() { :; }',
      'LD_PRELOAD=/nonexistent.so',
    ],
  });
  await host.client.put(testSpec({ id: 'hostile', digest: hostile }));
  const { port } = await untilState(host, 'hostile', 'ready');
  assert.equal((JSON.parse(await ask(port, '/env')) as Record<string, string>).BASH_ENV, trap);
  await assert.rejects(readFile(`${trap}.sprung`));
  await removed('hostile');
});

test('a crashed instance starts again, at its port, and says why it ended', async () => {
  await host.client.put(testSpec({ id: 'crash', digest }));
  const before = await untilState(host, 'crash', 'ready');
  await ask(before.port, '/crash').catch(() => {});
  const down = await untilState(host, 'crash', 'exited');
  assert.match(down.reason ?? '', /^exited with code 7; last lines:\nlistening as/);
  const again = await untilState(host, 'crash', 'ready');
  assert.notEqual(again.pid, before.pid);
  assert.equal(again.port, before.port);
  assert.equal(again.restarts, 1);
  process.kill(again.pid!, 'SIGKILL');
  assert.match((await untilState(host, 'crash', 'exited')).reason ?? '', /SIGKILL/);
  await removed('crash');
});

test('a port that was taken while the instance was down is left to the other program', async () => {
  await host.client.put(testSpec({ id: 'port', digest }));
  const before = await untilState(host, 'port', 'ready');
  process.kill(before.pid!, 'SIGKILL');
  await untilState(host, 'port', 'exited');
  const other = createServer((_, response) => response.end('somebody else'));
  await new Promise<void>((resolve) => other.listen(before.port!, '127.0.0.1', resolve));
  try {
    const again = await untilState(host, 'port', 'ready');
    assert.notEqual(again.port, before.port);
    assert.equal(await ask(again.port, '/'), 'hello');
  } finally {
    other.close();
    other.closeAllConnections();
  }
  await removed('port');
});

test("another program's answer at the port is not readiness", async () => {
  // The image never listens; its child outside the recorded run cannot be made, so the test itself listens at its port.
  const silent = await push('silent', { layers: [await serverLayer('setInterval(() => {}, 1000)')] });
  await host.client.put(testSpec({ id: 'impostor', digest: silent, startTimeoutMs: 3_000 }));
  const { port } = await until('it has a port', async () => {
    const status = await host.client.get('impostor');
    return status?.state === 'starting' && status.port !== null ? status : null;
  });
  const other = createServer((_, response) => response.end('ready, says somebody else'));
  await new Promise<void>((resolve) => other.listen(port!, '127.0.0.1', resolve));
  const failed = await untilState(host, 'impostor', 'failed').finally(() => {
    other.close();
    other.closeAllConnections();
  });
  assert.match(failed.reason ?? '', /left port \d+ to another program/);
  await removed('impostor');
});

test('readiness follows the probe', async () => {
  await host.client.put(testSpec({ id: 'probe', digest }));
  const { port, readyAtMs } = await untilState(host, 'probe', 'ready');
  await ask(port, '/unready');
  const unready = await untilState(host, 'probe', 'unready');
  assert.match(unready.reason ?? '', /answered 503 at \/healthz/);
  await ask(port, '/ready');
  const ready = await untilState(host, 'probe', 'ready');
  assert.equal(ready.readyAtMs, readyAtMs);
  assert.equal(ready.restarts, 0);
  await removed('probe');
});

test('what never becomes ready fails, with its last words, and leaves no process', async () => {
  const hangs = await push('hangs', {
    layers: [
      await serverLayer('console.log("waiting for \\u001b[31ma database"); setInterval(() => {}, 1000)'),
    ],
  });
  await host.client.put(testSpec({ id: 'hangs', digest: hangs, startTimeoutMs: 500 }));
  const failed = await untilState(host, 'hangs', 'failed');
  assert.match(
    failed.reason ?? '',
    /^not ready within 500 ms: it does not listen at port \d+; last lines:\nwaiting for {2}\[31ma database$/,
  );
  await until('its process is gone', () => host.processesOf('hangs').length === 0);
  const dies = await push('dies', {
    layers: [await serverLayer('console.error("no such table: orders"); process.exit(3)')],
  });
  await host.client.put(testSpec({ id: 'dies', digest: dies, startTimeoutMs: 900 }));
  assert.match(
    (await untilState(host, 'dies', 'failed')).reason ?? '',
    /^exited with code 3; never ready in its only start; last lines:\n(?:.*\n)*no such table: orders/,
  );
  await removed('hangs');
  await removed('dies');
});

test('more memory than the limit ends the run, and it starts again', async () => {
  await host.client.put(
    testSpec({ id: 'greedy', digest, resources: { memoryBytes: 200 * 1024 ** 2, openFiles: null } }),
  );
  const { port } = await untilState(host, 'greedy', 'ready');
  await ask(port, '/eat').catch(() => {});
  const ended = await until('it was killed', async () => {
    const status = await host.client.get('greedy');
    return (status?.restarts ?? 0) > 0 ? status : null;
  });
  assert.match(ended?.reason ?? '', /^killed: it used \d+ MiB of memory, its limit is 200 MiB/);
  await untilState(host, 'greedy', 'ready');
  await removed('greedy');
});

test('orders are idempotent by id, and obey the fence', async () => {
  const lane = 'fenced/prod';
  const spec = testSpec({ id: 'fenced', digest, lane, fence: 5 });
  const puts = await Promise.all(Array.from({ length: 8 }, () => host.client.put(spec)));
  assert.equal(new Set(puts.map(({ id }) => id)).size, 1);
  const ready = await untilState(host, 'fenced', 'ready');
  assert.deepEqual(host.processesOf('fenced'), [ready.pid]);
  await assert.rejects(host.client.put({ ...spec, env: { OTHER: '1' } }), code('conflict'));
  await assert.rejects(host.client.put({ ...spec, fence: 4 }), code('stale_fence'));
  await assert.rejects(host.client.remove('fenced', 4), code('stale_fence'));
  assert.equal((await host.client.put({ ...spec, fence: 9 })).pid, ready.pid);
  await assert.rejects(
    host.client.put(testSpec({ id: 'fenced-2', digest, lane, fence: 8 })),
    code('stale_fence'),
  );
  await host.kill('SIGKILL');
  await host.start();
  await assert.rejects(host.client.remove('fenced', 8), code('stale_fence'));
  assert.equal((await host.client.get('fenced'))?.pid, ready.pid);
  await removed('fenced', 9);
  assert.equal(await host.client.remove('fenced', 9), null);
});

test('a missing image, a missing program and another platform are failures in words', async () => {
  const nowhere = `sha256:${'0'.repeat(64)}` as const;
  await host.client.put(testSpec({ id: 'missing', digest: nowhere }));
  assert.match((await untilState(host, 'missing', 'failed')).reason ?? '', /^image_missing: /);
  const program = await push('program', { entrypoint: ['ruby', 'app.rb'] });
  await host.client.put(testSpec({ id: 'program', digest: program }));
  assert.match(
    (await untilState(host, 'program', 'failed')).reason ?? '',
    /"ruby" is neither in the image nor the host's Node/,
  );
  const platform = await push('platform', { architecture: 's390x' });
  await host.client.put(testSpec({ id: 'platform', digest: platform }));
  assert.match((await untilState(host, 'platform', 'failed')).reason ?? '', /linux\/s390x/);
  for (const id of ['missing', 'program', 'platform']) await removed(id);
});

test('a flipped byte in the registry is refused, whichever blob it is in', async () => {
  const blobs = join(host.directory, 'registry', 'blobs');
  for (const part of ['manifest', 'config', 'layer'] as const) {
    const before = new Set(await readdir(blobs));
    const image = await pushImage(host.registry, 'shop', {
      layers: [await tarOf([{ name: 'app/part', content: part }])],
      env: [`PART=${part}`],
    });
    const fresh = (await readdir(blobs)).filter((name) => !before.has(name) && !name.endsWith('.type'));
    const manifest = digestHex(image.digest);
    const layer = digestHex(image.layers[0]!.digest);
    const config = fresh.find((name) => name !== manifest && name !== layer)!;
    const path = join(blobs, { manifest, config, layer }[part]);
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    await host.client.put(testSpec({ id: `flip-${part}`, digest: image.digest }));
    const { reason } = await untilState(host, `flip-${part}`, 'failed');
    assert.match(reason ?? '', /^(digest_mismatch|invalid_input): /);
    assert.deepEqual(host.processesOf(`flip-${part}`), []);
    await removed(`flip-${part}`);
  }
});

test('a changed file of the unpacked tree is refused by name; the next instance gets a fresh tree', async () => {
  const rootfs = (of: Digest) => join(host.directory, 'host', 'images', digestHex(of), 'rootfs', 'app');
  const flips: [string, (directory: string) => Promise<void>, RegExp][] = [
    [
      'content',
      async (directory) => flip(join(directory, 'server.js')),
      /"app\/server.js" has other content/,
    ],
    [
      'extra',
      (directory) => writeFile(join(directory, 'evil.js'), ''),
      /"app\/evil.js" is not part of the image/,
    ],
    ['gone', (directory) => rm(join(directory, 'tag')), /"app\/tag" is missing/],
    ['mode', (directory) => chmod(join(directory, 'tag'), 0o755), /"app\/tag" has other permissions/],
  ];
  for (const [name, change, expected] of flips) {
    const image = await push(name);
    await host.client.put(testSpec({ id: `tree-${name}`, digest: image }));
    const { pid } = await untilState(host, `tree-${name}`, 'ready');
    await change(rootfs(image));
    process.kill(pid!, 'SIGKILL');
    const failed = await untilState(host, `tree-${name}`, 'failed');
    assert.match(failed.reason ?? '', /^tampered: /);
    assert.match(failed.reason ?? '', expected);
    await host.client.put(testSpec({ id: `tree-${name}-2`, digest: image }));
    await untilState(host, `tree-${name}-2`, 'ready');
    await removed(`tree-${name}`);
    await removed(`tree-${name}-2`);
  }
});

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(path, bytes);
}

test('unused images are kept for a rollback up to a number', async () => {
  for (let i = 0; i < 8; i++) {
    const image = await push(`kept-${i}`);
    await host.client.put(testSpec({ id: `kept-${i}`, digest: image }));
    await untilState(host, `kept-${i}`, 'ready');
    await removed(`kept-${i}`);
  }
  const images = await until('old images are removed', async () => {
    const names = (await readdir(join(host.directory, 'host', 'images'))).filter((name) =>
      /^[0-9a-f]{64}$/.test(name),
    );
    return names.length <= 5 ? names : null;
  });
  assert.equal(images?.length, 5);
});

test('the control API is closed to strangers and browsers, and bounded', async () => {
  const url = `${host.url()}/instances`;
  const status = async (headers: Record<string, string>, method = 'GET', body?: string) =>
    (
      await fetch(url + (method === 'PUT' ? '/x' : ''), {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      })
    ).status;
  const good = { authorization: 'Bearer token-of-the-test-agent' };
  assert.equal(await status({}), 401);
  assert.equal(await status({ authorization: 'Bearer token-of-the-test-agenT' }), 401);
  assert.equal(await status(good), 200);
  assert.equal(await status({ ...good, origin: 'http://127.0.0.1' }), 403);
  assert.equal(await status({ ...good, 'content-type': 'application/json' }, 'PUT', '{'), 400);
  assert.equal(await status({ ...good, 'content-type': 'text/plain' }, 'PUT', '{}'), 400);
  assert.equal(await status({ ...good, 'content-type': 'application/json' }, 'PUT', '{}'), 422);
  const json = { ...good, 'content-type': 'application/json' };
  // Refused before it has all been sent, and the sender still hears why.
  for (let i = 0; i < 5; i++) assert.equal(await status(json, 'PUT', `"${'x'.repeat(8_000_000)}"`), 413);
  assert.equal(await requestWithHost('evil.example'), 403);
  await assert.rejects(host.client.put(testSpec({ id: '../climb', digest })), code('usage'));
  await assert.rejects(
    host.client.put(testSpec({ id: 'env', digest, env: { 'BAD NAME': '1' } })),
    code('invalid_input'),
  );
});

function requestWithHost(name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(
      `${host.url()}/health`,
      { headers: { host: name, authorization: 'Bearer token-of-the-test-agent' } },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    ).on('error', reject);
  });
}

test('logs can be followed until the instance is gone, and metrics tell its state', async () => {
  await host.client.put(testSpec({ id: 'followed', digest }));
  await untilState(host, 'followed', 'ready');
  const headers = { authorization: 'Bearer token-of-the-test-agent' };
  const metrics = await (await fetch(`${host.url()}/metrics`, { headers })).text();
  assert.match(metrics, /slipway_agent_instances\{lane="shop\/prod",state="ready"\} 1/);
  const following = fetch(`${host.url()}/instances/followed/logs?follow=1`, { headers }).then((response) =>
    response.text(),
  );
  await removed('followed');
  assert.match(await following, /^listening as \d+\nstopping gracefully\nstopped\n$/);
});

test('a second agent on the same data directory is refused', async () => {
  const second = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'testing', 'agent-process.ts'), host.directory],
    { encoding: 'utf8', timeout: 20_000 },
  );
  assert.match(second.stderr, /Another host agent runs on this data directory/);
  assert.equal((await host.client.health()).status, 'ok');
});
