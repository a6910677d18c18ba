import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { createRegistryClient } from '../../platform/oci/client.ts';
import { MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { freePort } from '../../platform/ports.ts';
import { imageManifest, startTestRegistry, type TestRegistry } from './testing.ts';

const peerInstalled = spawnSync('docker-registry', ['--version']).status === 0;

let registry: TestRegistry;
before(async () => {
  registry = await startTestRegistry();
});
after(() => registry.close());

const clientFor = (url: string, password = 'admin', more: { chunkBytes?: number; timeoutMs?: number } = {}) =>
  createRegistryClient({ url, credentials: { username: 'any', password }, userAgent: 'test', ...more });

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A server of a few lines in place of a registry, for answers that ours would never give. */
async function withServer(
  listener: RequestListener,
  work: (url: string, hits: string[]) => Promise<void>,
): Promise<void> {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, hits);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('registry client', () => {
  it('pushes and pulls blobs from memory, from streams and in chunks, through the token service', async () => {
    const bytes = randomBytes(300_000);
    const variants: [string, RegistryClient, Buffer | { open(): Readable; size: number }][] = [
      ['c/buffer', clientFor(registry.url), bytes],
      [
        'c/stream',
        clientFor(registry.url),
        { open: () => Readable.from([bytes.subarray(0, 9), bytes.subarray(9)]), size: bytes.length },
      ],
      ['c/chunks', clientFor(registry.url, 'admin', { chunkBytes: 100_000 }), bytes],
      [
        'c/uneven',
        clientFor(registry.url, 'admin', { chunkBytes: 70_001 }),
        { open: () => Readable.from([bytes]), size: bytes.length },
      ],
    ];
    const digest = sha256(bytes);
    for (const [repository, client, content] of variants) {
      assert.equal(await client.hasBlob(repository, digest), false);
      await client.putBlob(repository, digest, content);
      assert.equal(await client.hasBlob(repository, digest), true);
      await client.putBlob(repository, digest, content);
      assert.ok((await collect(await client.openBlob(repository, digest))).equals(bytes));
      assert.ok((await client.getBlob(repository, digest, bytes.length)).equals(bytes));
      await assert.rejects(client.getBlob(repository, digest, bytes.length - 1), {
        code: 'payload_too_large',
      });
    }
  });

  it('pushes and pulls manifests and lists referrers', async () => {
    const client = clientFor(registry.url);
    await client.putBlob('c/image', sha256('{}'), Buffer.from('{}'));
    const text = Buffer.from(imageManifest());
    const digest = await client.putManifest('c/image', 'v1', MEDIA.imageManifest, text);
    assert.equal(digest, sha256(text));
    assert.deepEqual(await client.getManifest('c/image', 'v1'), {
      mediaType: MEDIA.imageManifest,
      digest,
      bytes: text,
    });
    assert.deepEqual(await client.getManifest('c/image', digest), {
      mediaType: MEDIA.imageManifest,
      digest,
      bytes: text,
    });
    const subject = { mediaType: MEDIA.imageManifest, digest, size: text.length };
    const referrer = Buffer.from(
      imageManifest({ subject, artifactType: 'application/x.one', annotations: { a: 'b' } }),
    );
    await client.putManifest('c/image', sha256(referrer), MEDIA.imageManifest, referrer);
    const expected = [
      {
        mediaType: MEDIA.imageManifest,
        digest: sha256(referrer),
        size: referrer.length,
        artifactType: 'application/x.one',
        annotations: { a: 'b' },
      },
    ];
    assert.deepEqual(await client.referrers('c/image', digest), expected);
    assert.deepEqual(await client.referrers('c/image', digest, 'application/x.one'), expected);
    assert.deepEqual(await client.referrers('c/image', digest, 'application/x.two'), []);
    assert.deepEqual(await client.referrers('c/image', sha256('nothing')), []);
  });

  it('names what is absent, refused, immutable and unreachable', async () => {
    const client = clientFor(registry.url);
    await assert.rejects(client.getManifest('c/image', 'absent'), { code: 'image_missing' });
    await assert.rejects(client.openBlob('c/image', sha256('absent')), { code: 'image_missing' });
    await assert.rejects(clientFor(registry.url, 'nobody').getManifest('c/image', 'v1'), {
      code: 'forbidden',
    });
    await assert.rejects(
      clientFor(registry.url, 'reader').putBlob('c/image', sha256('x'), Buffer.from('x')),
      {
        code: 'forbidden',
      },
    );
    const other = Buffer.from(imageManifest({ annotations: { other: 'yes' } }));
    await assert.rejects(client.putManifest('c/image', 'v1', MEDIA.imageManifest, other), {
      code: 'tag_immutable',
    });
    const missing = Buffer.from(imageManifest({ layers: ['never pushed'] }));
    await assert.rejects(client.putManifest('c/image', 'v2', MEDIA.imageManifest, missing), {
      code: 'image_missing',
    });
    await assert.rejects(clientFor('http://127.0.0.1:1').hasBlob('a', sha256('x')), { code: 'unreachable' });
    await withServer(
      () => {},
      (url) =>
        assert.rejects(clientFor(url, 'x', { timeoutMs: 50 }).hasBlob('a', sha256('x')), {
          code: 'unreachable',
        }),
    );
  });

  it('refuses to send bytes that are not those of the digest', async () => {
    const client = clientFor(registry.url);
    const wrong = sha256('wrong');
    await assert.rejects(client.putBlob('c/w', wrong, Buffer.from('right')), { code: 'digest_mismatch' });
    const stream = { open: () => Readable.from([Buffer.from('right')]), size: 5 };
    await assert.rejects(client.putBlob('c/w', wrong, stream), { code: 'digest_mismatch' });
    await assert.rejects(client.putBlob('c/w', sha256('right'), { ...stream, size: 6 }), {
      code: 'digest_mismatch',
    });
    await assert.rejects(client.putManifest('c/w', wrong, MEDIA.imageManifest, Buffer.from('{}')), {
      code: 'digest_mismatch',
    });
    const broken = {
      open: () =>
        new Readable({
          read: (): void => {
            throw new Error('no such file');
          },
        }),
      size: 5,
    };
    await assert.rejects(client.putBlob('c/w', wrong, broken), /no such file/);
    assert.equal(await client.hasBlob('c/w', wrong), false);
  });

  it('checks every byte that comes back', async () => {
    const digest = sha256('right');
    await withServer(
      (_request, response) => response.end('wrong'),
      async (url) => {
        const client = clientFor(url);
        await assert.rejects(client.getBlob('a', digest, 100), { code: 'digest_mismatch' });
        await assert.rejects(collect(await client.openBlob('a', digest)), { code: 'digest_mismatch' });
        await assert.rejects(client.getManifest('a', digest), { code: 'digest_mismatch' });
      },
    );
    await withServer(
      (_request, response) => response.writeHead(200, { 'docker-content-digest': digest }).end('wrong'),
      (url) => assert.rejects(clientFor(url).getManifest('a', 'v1'), { code: 'digest_mismatch' }),
    );
    await withServer(
      (request, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('right', () => request.socket.destroy());
      },
      async (url) => {
        await assert.rejects(collect(await clientFor(url).openBlob('a', digest)), { code: 'unreachable' });
      },
    );
  });

  it('keeps credentials from strangers: token services, redirects and uploads elsewhere', async () => {
    const blob = sha256('blob');
    await withServer(
      (_request, response) => response.end(JSON.stringify({ token: 'x' })),
      async (strangerUrl, strangerHits) => {
        const stranger = strangerUrl.replace('127.0.0.1', 'localhost');
        await withServer(
          (_request, response) =>
            response
              .writeHead(401, { 'www-authenticate': `Bearer realm="${stranger}/token",service="s"` })
              .end(),
          (url) => assert.rejects(clientFor(url).hasBlob('a', blob), { code: 'forbidden' }),
        );
        await withServer(
          (_request, response) => response.writeHead(307, { location: `${stranger}/blob` }).end(),
          (url) => assert.rejects(clientFor(url).openBlob('a', blob), { code: 'forbidden' }),
        );
        await withServer(
          (request, response) =>
            response
              .writeHead(request.method === 'HEAD' ? 404 : 202, { location: `${stranger}/upload` })
              .end(),
          (url) =>
            assert.rejects(clientFor(url).putBlob('a', blob, Buffer.from('blob')), { code: 'forbidden' }),
        );
        assert.deepEqual(strangerHits, []);
      },
    );
  });

  it('follows a redirect to another origin without the credentials, and not for ever', async () => {
    await withServer(
      (request, response) => response.end(request.headers.authorization ?? 'blob'),
      async (store) => {
        await withServer(
          (request, response) => {
            if (request.headers.authorization === undefined) {
              return response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
            }
            return response.writeHead(307, { location: `${store}/blob` }).end();
          },
          async (url) => {
            const bytes = await clientFor(url).getBlob('a', sha256('blob'), 100);
            assert.equal(bytes.toString(), 'blob');
          },
        );
      },
    );
    await withServer(
      (request, response) => response.writeHead(302, { location: `${request.url}x` }).end(),
      (url) => assert.rejects(clientFor(url).openBlob('a', sha256('x')), { code: 'forbidden' }),
    );
  });

  it('uses the tag schema where there is no referrers API', async () => {
    const subject = sha256('subject');
    const stored = new Map<string, { bytes: Buffer; type: string }>();
    const listener: RequestListener = async (request, response) => {
      const bytes = await collect(request);
      if (request.method === 'PUT') {
        stored.set(request.url!, { bytes, type: request.headers['content-type'] ?? '' });
        return response.writeHead(201).end();
      }
      const found = stored.get(request.url!);
      return found
        ? response.writeHead(200, { 'content-type': found.type }).end(found.bytes)
        : response.writeHead(404).end();
    };
    await withServer(listener, async (url) => {
      const client = clientFor(url);
      assert.deepEqual(await client.referrers('a', subject), []);
      const push = async (artifactType: string): Promise<Digest> => {
        const text = imageManifest({
          artifactType,
          subject: { mediaType: MEDIA.imageManifest, digest: subject, size: 7 },
        });
        return client.putManifest('a', sha256(text), MEDIA.imageManifest, Buffer.from(text));
      };
      const [one, two] = [await push('application/x.one'), await push('application/x.two')];
      await push('application/x.one');
      const digests = (await client.referrers('a', subject)).map((entry) => entry.digest);
      assert.deepEqual(digests, [one, two]);
      assert.deepEqual(
        (await client.referrers('a', subject, 'application/x.two')).map((e) => e.digest),
        [two],
      );
    });
  });

  it('works with a registry that is not ours', {
    skip: peerInstalled ? false : 'docker-registry is not installed',
  }, async () => {
    const home = await mkdtemp(join(tmpdir(), 'slipway-peer-'));
    const port = await freePort();
    const config = `version: 0.1\nlog: { level: error }\nhttp: { addr: 127.0.0.1:${port} }\nstorage: { filesystem: { rootdirectory: ${home} } }\n`;
    await writeFile(join(home, 'config.yml'), config);
    const peer = spawn('docker-registry', ['serve', join(home, 'config.yml')], { stdio: 'ignore' });
    try {
      const url = `http://127.0.0.1:${port}`;
      const deadline = Date.now() + 10_000;
      while (
        !(await fetch(`${url}/v2/`).then(
          (answer) => answer.ok,
          () => false,
        ))
      )
        assert.ok(Date.now() < deadline);
      const bytes = randomBytes(200_000);
      for (const [repository, more] of [
        ['whole', {}],
        ['chunks', { chunkBytes: 64_000 }],
      ] as const) {
        const client = clientFor(url, 'x', more);
        await client.putBlob(repository, sha256(bytes), {
          open: () => Readable.from([bytes]),
          size: bytes.length,
        });
        assert.ok((await client.getBlob(repository, sha256(bytes), 200_000)).equals(bytes));
        await client.putBlob(repository, sha256('{}'), Buffer.from('{}'));
        const text = Buffer.from(imageManifest());
        const digest = await client.putManifest(repository, 'v1', MEDIA.imageManifest, text);
        assert.ok((await client.getManifest(repository, 'v1')).bytes.equals(text));
        const subject = { mediaType: MEDIA.imageManifest, digest, size: text.length };
        const referrer = Buffer.from(imageManifest({ subject, artifactType: 'application/x.one' }));
        await client.putManifest(repository, sha256(referrer), MEDIA.imageManifest, referrer);
        assert.deepEqual(
          (await client.referrers(repository, digest)).map((entry) => entry.digest),
          [sha256(referrer)],
        );
      }
    } finally {
      const exit = once(peer, 'exit');
      peer.kill('SIGKILL');
      await exit;
      await rm(home, { recursive: true, force: true });
    }
  });
});
