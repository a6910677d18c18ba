// `node bench/registry.ts [--json]`: the registry beside Debian's docker-registry (distribution 2.8), one after the other on
// loopback, same client, same disk. Ours authenticates every request and syncs blobs, directory and rows to the disk; the peer
// runs without authentication.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Digest, sha256 } from '../src/kernel/digest.ts';
import { createRegistryClient } from '../src/platform/oci/client.ts';
import { MEDIA } from '../src/platform/oci/types.ts';
import { freePort } from '../src/platform/ports.ts';
import { openDatabase } from '../src/platform/postgres/database.ts';
import { startPostgres } from '../src/platform/postgres/embedded.ts';
import { migrate } from '../src/platform/postgres/migrate.ts';
import { imageManifest } from '../src/stages/registry/testing.ts';

const BLOB_BYTES = 200 * 1024 * 1024;
const BLOB_ROUNDS = 3;
const MANIFEST_SECONDS = 3;
const CONNECTIONS = 16;
const CHILD = fileURLToPath(new URL('../src/stages/registry/testing-child.ts', import.meta.url));
const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));

interface Figures {
  name: string;
  manifestGetsPerSecond: number;
  /** MB = 1,000,000 bytes; medians of BLOB_ROUNDS. */
  putMegabytesPerSecond: number;
  getMegabytesPerSecond: number;
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function measure(name: string, url: string): Promise<Figures> {
  const client = createRegistryClient({
    url,
    credentials: { username: 'any', password: 'x' },
    userAgent: 'bench',
  });
  await client.putBlob('bench/app', sha256('{}'), Buffer.from('{}'));
  await client.putManifest('bench/app', 'v1', MEDIA.imageManifest, Buffer.from(imageManifest()));
  const puts: number[] = [];
  const gets: number[] = [];
  for (let round = 0; round < BLOB_ROUNDS; round++) {
    const block = randomBytes(4 * 1024 * 1024);
    const blob = Buffer.concat(Array<Buffer>(BLOB_BYTES / block.length).fill(block));
    const digest = sha256(blob);
    puts.push(await megabytesPerSecond(() => put(url, digest, blob)));
    gets.push(
      await megabytesPerSecond(() => get(url, `/v2/bench/app/blobs/${digest}`).then(() => undefined)),
    );
  }
  return {
    name,
    manifestGetsPerSecond: Math.round(await manifestRate(url)),
    putMegabytesPerSecond: Math.round(median(puts)),
    getMegabytesPerSecond: Math.round(median(gets)),
  };
}

async function megabytesPerSecond(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return BLOB_BYTES / 1e6 / ((performance.now() - start) / 1000);
}

// Without the checks of our client, which would measure its hashing too.
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function exchange(method: string, target: string, body?: Buffer): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: 'Bearer x',
      accept: MEDIA.imageManifest,
      ...(body ? { 'content-length': body.length } : {}),
    };
    const request = http.request(target, { method, agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response)).on('error', reject);
    });
    request.on('error', reject);
    if (body) Readable.from(slices(body)).pipe(request);
    else request.end();
  });
}

function* slices(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 1024 * 1024) yield body.subarray(at, at + 1024 * 1024);
}

async function put(url: string, digest: Digest, blob: Buffer): Promise<void> {
  const begun = await exchange('POST', `${url}/v2/bench/app/blobs/uploads/`);
  const location = new URL(begun.headers.location!, url);
  location.searchParams.set('digest', digest);
  const done = await exchange('PUT', location.href, blob);
  if (done.statusCode !== 201) throw new Error(`PUT answered ${done.statusCode}`);
}

async function get(url: string, path: string): Promise<void> {
  const response = await exchange('GET', url + path);
  if (response.statusCode !== 200) throw new Error(`GET answered ${response.statusCode}`);
}

async function manifestRate(url: string): Promise<number> {
  const run = async (seconds: number) => {
    const end = performance.now() + seconds * 1000;
    let count = 0;
    const loop = async () => {
      for (; performance.now() < end; count++) await get(url, '/v2/bench/app/manifests/v1');
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, loop));
    return count / seconds;
  };
  await run(0.5);
  return run(MANIFEST_SECONDS);
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

async function measureOurs(home: string): Promise<Figures> {
  const postgres = await startPostgres({ directory: join(home, 'postgres'), port: await freePort() });
  const database = openDatabase(postgres.url);
  await migrate(database, MIGRATIONS);
  await database.close();
  const child = spawn(process.execPath, [CHILD, postgres.url, join(home, 'blobs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return await measure('slipway', line.toString().trim());
  } finally {
    await ended(child);
    await postgres.stop();
  }
}

async function measurePeer(home: string): Promise<Figures | null> {
  if (spawnSync('docker-registry', ['--version']).status !== 0) return null;
  const port = await freePort();
  const config = join(home, 'peer.yml');
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error, accesslog: { disabled: true } }\nhttp: { addr: 127.0.0.1:${port} }\n` +
      `storage: { filesystem: { rootdirectory: ${join(home, 'peer')} }, cache: { blobdescriptor: inmemory } }\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  try {
    for (const deadline = Date.now() + 10_000; ; ) {
      if (
        await fetch(`${url}/v2/`).then(
          (answer) => answer.ok,
          () => false,
        )
      )
        break;
      if (Date.now() > deadline) throw new Error('docker-registry does not start');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return await measure('docker-registry', url);
  } finally {
    await ended(child);
  }
}

const home = await mkdtemp(join(tmpdir(), 'slipway-bench-registry-'));
try {
  const figures = [await measureOurs(home), await measurePeer(home)].filter((entry) => entry !== null);
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
  else console.table(figures);
} finally {
  agent.destroy();
  await rm(home, { recursive: true, force: true });
}
