import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { digestHex, sha256 } from '../../kernel/digest.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import { startTestRegistry, type TestRegistry } from './testing.ts';

const installed = spawnSync('skopeo', ['--version']).status === 0;
const skip = installed ? false : 'skopeo is not installed';

let registry: TestRegistry;
let home: string;
before(async () => {
  registry = await startTestRegistry();
  home = await mkdtemp(join(tmpdir(), 'slipway-skopeo-'));
});
after(async () => {
  await registry.close();
  await rm(home, { recursive: true, force: true });
});

async function skopeo(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('skopeo', ['--insecure-policy', '--tmpdir', home, ...args], {
    timeout: 60_000,
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home },
  });
  return stdout;
}

/** Writes an OCI layout with one image per text under its tag; returns the manifests' digests by tag. */
async function writeLayout(
  name: string,
  texts: Record<string, string>,
): Promise<{ path: string; digests: Map<string, string> }> {
  const path = join(home, name);
  await mkdir(join(path, 'blobs', 'sha256'), { recursive: true });
  const put = async (mediaType: string, bytes: Buffer) => {
    const digest = sha256(bytes);
    await writeFile(join(path, 'blobs', 'sha256', digestHex(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const digests = new Map<string, string>();
  const manifests = [];
  for (const [tag, text] of Object.entries(texts)) {
    // Layers must be tars for skopeo to look at them; an empty tar is 1024 zero bytes.
    const tar = Buffer.concat([Buffer.alloc(1024), Buffer.from(text.padEnd(512, '\0'))]);
    const layer = await put(MEDIA.layerTarGzip, gzipSync(tar));
    const config = await put(
      MEDIA.imageConfig,
      Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
          config: {},
        }),
      ),
    );
    const body = { schemaVersion: 2, mediaType: MEDIA.imageManifest, config, layers: [layer] };
    const manifest = await put(MEDIA.imageManifest, Buffer.from(JSON.stringify(body)));
    digests.set(tag, manifest.digest);
    manifests.push({ ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } });
  }
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return { path, digests };
}

const dest = ['--dest-tls-verify=false', '--dest-creds', 'any:admin'];
const src = ['--src-tls-verify=false', '--src-creds', 'any:reader'];
const one = ['--tls-verify=false', '--creds', 'any:admin'];

describe('skopeo', { skip }, () => {
  it('copies an image in and out, byte for byte', async () => {
    const { path, digests } = await writeLayout('in', { v1: 'first', v2: 'second' });
    for (const tag of ['v1', 'v2']) {
      await skopeo('copy', ...dest, `oci:${path}:${tag}`, `docker://${registry.host}/skopeo/app:${tag}`);
    }
    const back = join(home, 'back');
    await skopeo('copy', ...src, `docker://${registry.host}/skopeo/app:v1`, `oci:${back}:v1`);
    const index = JSON.parse(await readFile(join(back, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    assert.equal(index.manifests[0]!.digest, digests.get('v1'));
    const names = await readdir(join(back, 'blobs', 'sha256'));
    for (const name of names) {
      const bytes = await readFile(join(back, 'blobs', 'sha256', name));
      assert.ok(bytes.equals(await readFile(join(path, 'blobs', 'sha256', name))));
    }
    assert.equal(names.length, 3);
  });

  it('inspects, lists tags, copies across repositories and syncs', async () => {
    const { path, digests } = await writeLayout('look', { v1: 'look', v2: 'again' });
    for (const tag of ['v1', 'v2']) {
      await skopeo('copy', ...dest, `oci:${path}:${tag}`, `docker://${registry.host}/skopeo/look:${tag}`);
    }
    const seen = JSON.parse(await skopeo('inspect', ...one, `docker://${registry.host}/skopeo/look:v1`)) as {
      Digest: string;
      RepoTags: string[];
    };
    assert.deepEqual([seen.Digest, seen.RepoTags], [digests.get('v1'), ['v1', 'v2']]);
    const from = `docker://${registry.host}/skopeo/look@${digests.get('v1')}`;
    await skopeo('copy', ...src, ...dest, from, `docker://${registry.host}/skopeo/moved:v1`);
    const synced = join(home, 'synced');
    await mkdir(synced);
    await skopeo('sync', ...src, '--src', 'docker', '--dest', 'dir', `${registry.host}/skopeo/look`, synced);
    assert.deepEqual((await readdir(synced)).sort(), ['look:v1', 'look:v2']);
  });

  it('is refused another digest under the same tag, at once and with the reason', async () => {
    const { path } = await writeLayout('retag', { v1: 'one', v2: 'two' });
    const target = `docker://${registry.host}/skopeo/fixed:release`;
    await skopeo('copy', ...dest, `oci:${path}:v1`, target);
    await skopeo('copy', ...dest, `oci:${path}:v1`, target);
    const start = Date.now();
    await assert.rejects(
      skopeo('copy', ...dest, `oci:${path}:v2`, target),
      /denied: the tag release of skopeo\/fixed is immutable/,
    );
    assert.ok(Date.now() - start < 5_000, 'it was tried again and again');
  });

  it('deletes, and is refused with the wrong token', async () => {
    const { path } = await writeLayout('del', { v1: 'gone' });
    const target = `docker://${registry.host}/skopeo/del:v1`;
    const refused = ['--dest-tls-verify=false', '--dest-creds'];
    await assert.rejects(skopeo('copy', ...refused, 'any:reader', `oci:${path}:v1`, target), /denied/);
    await assert.rejects(
      skopeo('copy', ...refused, 'any:wrong', `oci:${path}:v1`, target),
      /unauthorized|authentication required/i,
    );
    await skopeo('copy', ...dest, `oci:${path}:v1`, target);
    await skopeo('delete', ...one, target);
    await assert.rejects(skopeo('inspect', ...one, target), /manifest unknown|has no manifest/);
  });
});
