import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sha256 } from '../../kernel/digest.ts';
import { openDiskStore } from '../../platform/blobs/disk.ts';
import { nodeFiles } from '../../platform/blobs/files.ts';
import { createRegistryClient } from '../../platform/oci/client.ts';
import { scrubRegistry } from './store/scrub.ts';
import { startTestRegistry, type TestRegistry } from './testing.ts';

const DISK_BYTES = 8 * 1024 * 1024;

let registry: TestRegistry;
let directory: string;
let mounted = false;

/** A disk of 8 MiB: a real one where we may mount it, else a file layer that counts. */
async function smallDisk(): Promise<TestRegistry['blobs']> {
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', directory]);
  mounted = mount.status === 0;
  if (mounted) return openDiskStore(directory);
  const counting = async (...args: Parameters<typeof open>) => {
    const file = await open(...args);
    const real = file.writev.bind(file);
    const writev = async (buffers: Buffer[], position?: number) => {
      const files = await readdir(directory, { recursive: true, withFileTypes: true });
      const sizes = await Promise.all(
        files.filter((f) => f.isFile()).map((f) => nodeFiles.stat(join(f.parentPath, f.name))),
      );
      const used = sizes.reduce((sum, { size }) => sum + Number(size), 0);
      const wanted = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
      if (used + wanted > DISK_BYTES) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      return real(buffers, position);
    };
    return Object.assign(file, { writev });
  };
  return openDiskStore(directory, { files: { ...nodeFiles, open: counting as typeof open } });
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-full-'));
  registry = await startTestRegistry({ blobs: await smallDisk() });
});
after(async () => {
  await registry.close();
  if (mounted) spawnSync('umount', [directory]);
  await rm(directory, { recursive: true, force: true });
});

describe('a full disk', () => {
  it('refuses the push with 507, keeps what was there, drops the attempt, and goes on when there is room', async () => {
    const client = createRegistryClient({
      url: registry.url,
      credentials: { username: 'any', password: 'admin' },
      userAgent: 'test',
    });
    const [first, second] = [randomBytes(5_000_000), randomBytes(5_000_000)];
    await client.putBlob('full', sha256(first), first);
    const whole = await registry.call('POST', `/v2/full/blobs/uploads/?digest=${sha256(second)}`, {
      body: second,
    });
    assert.equal(whole.status, 507);
    assert.match(await whole.text(), /the disk is full/);
    await assert.rejects(client.putBlob('full', sha256(second), second), { code: 'disk_full' });
    const begun = await registry.call('POST', '/v2/full/blobs/uploads/');
    const location = begun.headers.get('location')!;
    assert.equal((await registry.call('PATCH', location, { body: second })).status, 507);
    assert.equal((await registry.call('GET', location)).headers.get('range'), '0-0');
    await registry.call('DELETE', location);
    assert.equal(await client.hasBlob('full', sha256(second)), false);
    assert.ok((await client.getBlob('full', sha256(first), 6e6)).equals(first));
    assert.equal((await registry.call('DELETE', `/v2/full/blobs/${sha256(first)}`)).status, 202);
    await client.putBlob('full', sha256(second), second);
    assert.deepEqual(await readdir(join(directory, 'uploads')), []);
  });

  it('lost or damaged files are found and named; a lost blob counts as absent, so that a push heals it', async () => {
    const [cut, flipped] = [randomBytes(1000), randomBytes(1000)];
    const push = (bytes: Buffer) =>
      registry.call('POST', `/v2/rot/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes });
    for (const bytes of [cut, flipped]) assert.equal((await push(bytes)).status, 201);
    const pathOf = (bytes: Buffer) =>
      join(directory, 'sha256', sha256(bytes).slice(7, 9), sha256(bytes).slice(7));
    await truncate(pathOf(cut), 500);
    const file = await open(pathOf(flipped), 'r+');
    await file.write(Buffer.from([flipped[0]! ^ 0xff]), 0, 1, 0);
    await file.close();
    const found = await scrubRegistry(registry.database, registry.blobs);
    assert.deepEqual(found.damagedBlobs.sort(), [sha256(cut), sha256(flipped)].sort());
    assert.equal((await registry.call('HEAD', `/v2/rot/blobs/${sha256(cut)}`)).status, 404);
    for (const bytes of [cut, flipped]) assert.equal((await push(bytes)).status, 201);
    assert.equal((await registry.call('HEAD', `/v2/rot/blobs/${sha256(cut)}`)).status, 200);
    assert.deepEqual((await scrubRegistry(registry.database, registry.blobs)).damagedBlobs, []);
    await registry.blobs.delete(sha256(cut));
    assert.deepEqual((await scrubRegistry(registry.database, registry.blobs)).missingBlobs, [sha256(cut)]);
  });

  it('a manifest whose bytes were changed in the database is named and not served', async () => {
    const bytes = Buffer.from('{}');
    await registry.call('POST', `/v2/rot/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes });
    const text = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'application/x.a', digest: sha256(bytes), size: 2 },
      layers: [],
    });
    const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
    assert.equal((await registry.call('PUT', '/v2/rot/manifests/v1', { body: text, headers })).status, 201);
    await registry.database.query(
      "update registry_manifests set content = content || ' ' where repository = 'rot'",
    );
    assert.equal((await registry.call('GET', '/v2/rot/manifests/v1')).status, 409);
    const { damagedManifests } = await scrubRegistry(registry.database, registry.blobs);
    assert.deepEqual(damagedManifests, [{ repository: 'rot', digest: sha256(text) }]);
  });
});
