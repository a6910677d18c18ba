import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { openDiskStore } from '../../platform/blobs/disk.ts';
import { createRegistryClient } from '../../platform/oci/client.ts';
import { MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { scrubRegistry } from './store/scrub.ts';
import { imageManifest } from './testing.ts';

const CHILD = fileURLToPath(new URL('testing-child.ts', import.meta.url));
const ROUNDS = 5;
const REPOSITORY = 'crash/app';

let test: TestDatabase;
let directory: string;
let child: ChildProcess;
const children: ChildProcess[] = [];

before(async () => {
  test = await testDatabase();
  directory = await mkdtemp(join(tmpdir(), 'slipway-crash-'));
});
after(async () => {
  for (const each of children) each.kill('SIGKILL');
  await test.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(): Promise<string> {
  child = spawn(process.execPath, [CHILD, test.url, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return line.toString().trim();
}

async function kill(): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** Bytes that anyone can make again from the seed: `kibibytes` of hash output. */
function bytesOf(seed: string, kibibytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let n = 0; n < kibibytes * 32; n++) parts.push(createHash('sha256').update(`${seed}/${n}`).digest());
  return Buffer.concat(parts);
}

const clientOf = (url: string): RegistryClient =>
  createRegistryClient({
    url,
    credentials: { username: 'any', password: 'x' },
    userAgent: 'test',
    timeoutMs: 3_000,
  });

/** Pushes images until the registry dies; notes what was acknowledged. */
async function pushUntilDeath(url: string, lane: string, acknowledged: Acknowledged): Promise<void> {
  const client = clientOf(url);
  for (let n = 0; ; n++) {
    const seed = `${lane}-${n}`;
    const layer = bytesOf(seed, 100 + ((n * 37) % 400));
    const text = imageManifest({ layers: [layer.toString('latin1')], annotations: { seed } });
    const manifest = JSON.parse(text) as { layers: [{ digest: Digest; size: number }] };
    manifest.layers[0].digest = sha256(layer);
    manifest.layers[0].size = layer.length;
    const bytes = Buffer.from(JSON.stringify(manifest));
    try {
      await client.putBlob(REPOSITORY, sha256(layer), layer);
      acknowledged.blobs.set(sha256(layer), layer);
      await client.putBlob(REPOSITORY, sha256('{}'), Buffer.from('{}'));
      await client.putManifest(REPOSITORY, seed, MEDIA.imageManifest, bytes);
      acknowledged.tags.set(seed, bytes);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'unreachable', String(error));
      return;
    }
  }
}

interface Acknowledged {
  blobs: Map<Digest, Buffer>;
  tags: Map<string, Buffer>;
}

describe('kill -9 of the registry', () => {
  it('in the middle of pushes: all that was acknowledged is whole, all that is visible is whole', {
    timeout: 120_000,
  }, async () => {
    const acknowledged: Acknowledged = { blobs: new Map(), tags: new Map() };
    for (let round = 0; round < ROUNDS; round++) {
      const url = await start();
      const lanes = ['a', 'b', 'c'].map((lane) => pushUntilDeath(url, `${lane}${round}`, acknowledged));
      const enough = acknowledged.tags.size + 3 + round;
      const deadline = Date.now() + 20_000;
      while (acknowledged.tags.size < enough) {
        assert.ok(Date.now() < deadline, 'no push gets through');
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
      await kill();
      await Promise.all(lanes);
    }
    const client = clientOf(await start());
    for (const [digest, bytes] of acknowledged.blobs) {
      assert.ok((await client.getBlob(REPOSITORY, digest, bytes.length)).equals(bytes), digest);
    }
    for (const [tag, bytes] of acknowledged.tags) {
      assert.ok((await client.getManifest(REPOSITORY, tag)).bytes.equals(bytes), tag);
    }
    const rows = await test.database.query<{ tag: string }>('select tag from registry_tags');
    assert.ok(rows.length >= acknowledged.tags.size);
    for (const { tag } of rows) {
      const manifest = JSON.parse((await client.getManifest(REPOSITORY, tag)).bytes.toString()) as {
        config: { digest: Digest };
        layers: { digest: Digest }[];
      };
      for (const { digest } of [manifest.config, ...manifest.layers])
        await client.getBlob(REPOSITORY, digest, 1e7);
    }
    assert.deepEqual(await scrubRegistry(test.database, openDiskStore(directory)), {
      damagedBlobs: [],
      missingBlobs: [],
      damagedManifests: [],
    });
    await kill();
  });

  it('between the chunks of an upload: it goes on where it was', { timeout: 60_000 }, async () => {
    const bytes = bytesOf('resumed', 2_000);
    const headers = { authorization: 'Bearer x' };
    let url = await start();
    const begun = await fetch(`${url}/v2/resume/blobs/uploads/`, { method: 'POST', headers });
    const location = begun.headers.get('location')!;
    const first = await fetch(url + location, {
      method: 'PATCH',
      headers,
      body: new Uint8Array(bytes.subarray(0, 700_000)),
    });
    assert.equal(first.headers.get('range'), '0-699999');
    await kill();
    url = await start();
    const status = await fetch(url + location, { headers });
    assert.deepEqual([status.status, status.headers.get('range')], [204, '0-699999']);
    const last = await fetch(`${url}${location}?digest=${sha256(bytes)}`, {
      method: 'PUT',
      headers: { ...headers, 'content-range': `700000-${bytes.length - 1}` },
      body: new Uint8Array(bytes.subarray(700_000)),
    });
    assert.equal(last.status, 201);
    assert.ok((await clientOf(url).getBlob('resume', sha256(bytes), bytes.length)).equals(bytes));
    await kill();
  });
});
