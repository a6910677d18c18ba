import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Principal } from '../../platform/http/route.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import { createTokenSealer, TOKEN_LIFETIME_MS } from './auth/token.ts';
import {
  errorCode,
  imageManifest,
  pushBlob,
  pushImage,
  putManifest,
  startTestRegistry,
  type TestRegistry,
} from './testing.ts';

let registry: TestRegistry;
before(async () => {
  registry = await startTestRegistry();
});
after(() => registry.close());

const basic = (password: string, user = 'any') =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

async function session(password: string): Promise<string> {
  const answer = await registry.call('GET', '/v2/token?service=slipway&scope=repository:a:pull', {
    token: null,
    headers: { authorization: basic(password) },
  });
  assert.equal(answer.status, 200);
  const { token, access_token, expires_in } = (await answer.json()) as Record<string, string>;
  assert.equal(token, access_token);
  assert.equal(expires_in, TOKEN_LIFETIME_MS / 1000);
  return token!;
}

describe('authentication', () => {
  it('is asked for with a challenge that names the token service and the scope', async () => {
    const cases: [string, string, string][] = [
      ['GET', '/v2/', ''],
      ['GET', '/v2/a/b/manifests/v1', ',scope="repository:a/b:pull"'],
      ['HEAD', `/v2/a/b/blobs/${sha256('x')}`, ',scope="repository:a/b:pull"'],
      ['POST', '/v2/a/b/blobs/uploads/', ',scope="repository:a/b:pull,push"'],
      ['PUT', '/v2/a/b/manifests/v1', ',scope="repository:a/b:pull,push"'],
      ['DELETE', '/v2/a/b/manifests/v1', ',scope="repository:a/b:delete"'],
      ['GET', '/v2/_catalog', ''],
      ['GET', '/v2/UPPER/tags/list', ''],
    ];
    for (const [method, path, scope] of cases) {
      const answer = await registry.call(method, path, { token: null });
      assert.equal(answer.status, 401, path);
      assert.equal(
        answer.headers.get('www-authenticate'),
        `Bearer realm="${registry.url}/v2/token",service="slipway"${scope}`,
      );
      if (method !== 'HEAD') assert.equal(await errorCode(answer), 'UNAUTHORIZED');
    }
  });

  it('takes Basic with any user, the raw token, and a session of the token service', async () => {
    for (const authorization of [
      basic('admin'),
      basic('admin', ''),
      'bearer admin',
      `Bearer ${await session('admin')}`,
      basic(await session('admin')),
    ]) {
      const answer = await registry.call('GET', '/v2/', { token: null, headers: { authorization } });
      assert.equal(answer.status, 200, authorization.slice(0, 20));
      assert.equal(answer.headers.get('docker-distribution-api-version'), 'registry/2.0');
    }
  });

  it('refuses what is malformed, unknown, forged or too long', async () => {
    const good = await session('admin');
    for (const authorization of [
      'Bearer nobody',
      'Bearer',
      'Bearer a b',
      'Digest admin',
      'Basic !!!',
      basic(''),
      basic('admin\r\nx: y'),
      `Bearer ${good.slice(0, -2)}xx`,
      'Bearer slipway-registry.',
      `Bearer ${'x'.repeat(9_000)}`,
    ]) {
      const answer = await registry.call('GET', '/v2/', { token: null, headers: { authorization } });
      assert.equal(answer.status, 401, authorization.slice(0, 40));
      const issue = await registry.call('GET', '/v2/token', { token: null, headers: { authorization } });
      assert.equal(issue.status, 401);
    }
    assert.equal((await registry.call('GET', '/v2/token', { token: null })).status, 401);
    const post = await registry.call('POST', '/v2/token', { body: 'grant_type=password' });
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET']);
  });

  it('passes on that an address has failed too often', async () => {
    const sources: string[] = [];
    const busy = await startTestRegistry({
      authenticate: async (_header, source) => {
        sources.push(source);
        throw new SlipwayError('unauthenticated', 'too many failed logins', { facts: { retryAfterS: 7 } });
      },
    });
    try {
      for (const path of ['/v2/', '/v2/token', '/v2/a/manifests/v1']) {
        const answer = await busy.call('GET', path);
        assert.deepEqual([answer.status, answer.headers.get('retry-after')], [429, '7']);
        assert.equal(await errorCode(answer), 'TOOMANYREQUESTS');
      }
      assert.deepEqual(new Set(sources), new Set(['127.0.0.1']));
    } finally {
      await busy.close();
    }
  });

  it('lets the Host header of a client reach nobody but the client, and only if it is one', async () => {
    const ask = (host: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('end', () => resolve(text)).on('error', reject);
        socket.write(`GET /v2/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      });
    assert.match(
      await ask('registry.example.org:5000'),
      /realm="http:\/\/registry\.example\.org:5000\/v2\/token"/,
    );
    assert.match(await ask('x",realm="http://evil'), /realm="http:\/\/localhost\/v2\/token"/);
  });
});

describe('sessions', () => {
  it('end by time, cannot be made or read without the key, and hide the credential', () => {
    const random = (bytes: number) => randomBytes(bytes);
    const sealer = createTokenSealer(randomBytes(32), random);
    const token = sealer.seal('the-secret', 1_000);
    assert.deepEqual(sealer.unseal(token, 1_000), { secret: 'the-secret' });
    assert.equal(sealer.unseal(token, 1_000 + TOKEN_LIFETIME_MS), null);
    assert.equal(createTokenSealer(randomBytes(32), random).unseal(token, 1_000), null);
    const inside = Buffer.from(token.split('.')[1]!, 'base64url').toString('latin1');
    assert.ok(!inside.includes('secret'));
  });

  it('and raw tokens stop working within 5 seconds of a revocation', async () => {
    const token = await session('reader');
    const ask = async (bearer: string) => (await registry.call('GET', '/v2/', { token: bearer })).status;
    assert.deepEqual([await ask(token), await ask('reader')], [200, 200]);
    registry.revoked.add('reader');
    const deadline = Date.now() + 5_000;
    while ((await ask(token)) !== 401 || (await ask('reader')) !== 401) {
      assert.ok(Date.now() < deadline, 'still works');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    registry.revoked.clear();
  });

  it('a stream under way is cut within 5 seconds of a revocation', async () => {
    const digest = await pushBlob(registry, 'stream', randomBytes(32 * 1024 * 1024));
    const socket = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    let received = 0;
    const first = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        received += chunk.length;
        resolve();
      });
    });
    socket.write(
      `GET /v2/stream/blobs/${digest} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer reader\r\n\r\n`,
    );
    await first;
    // A reader that stops here holds the stream open; after the cut only what the kernel has buffered still comes.
    socket.pause();
    registry.revoked.add('reader');
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    registry.revoked.clear();
    socket.resume();
    await closed;
    assert.ok(received < 32 * 1024 * 1024, 'the stream was not cut');
  });
});

describe('authorization', () => {
  it('reading, pushing, moving, attaching and deleting are apart', async () => {
    const image = await pushImage(registry, 'z/app', 'v1');
    await pushBlob(registry, 'z/app', 'spare');
    const denied = async (method: string, path: string, token: string, body?: string) => {
      const headers = { 'content-type': MEDIA.imageManifest };
      const answer = await registry.call(method, path, {
        token,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      assert.deepEqual(
        [answer.status, await errorCode(answer)],
        [403, 'DENIED'],
        `${token} ${method} ${path}`,
      );
    };
    await denied('POST', '/v2/z/app/blobs/uploads/', 'reader');
    await denied('POST', `/v2/z/app/blobs/uploads/?digest=${sha256('x')}`, 'reader', 'x');
    await denied('PUT', '/v2/z/app/manifests/v2', 'reader', image.text);
    for (const token of ['reader', 'writer', 'attacher']) {
      await denied('DELETE', '/v2/z/app/manifests/v1', token);
      await denied('DELETE', `/v2/z/app/blobs/${sha256('spare')}`, token);
    }
    await denied('PUT', '/v2/z/app/manifests/v2', 'attacher', image.text);
    const subject = { mediaType: MEDIA.imageManifest, digest: image.digest, size: image.size };
    const attachment = imageManifest({ subject });
    await denied('PUT', `/v2/z/app/manifests/${sha256(attachment)}`, 'writer', attachment);
    const attached = await putManifest(registry, 'z/app', sha256(attachment), attachment, {
      token: 'attacher',
    });
    assert.equal(attached.status, 201);
  });

  it('says the same of what is absent and of what is not yours', async () => {
    const own = await startTestRegistry({
      allowed: (_principal, action, repository) => action !== 'pull' || repository === 'mine',
    });
    try {
      await pushImage(own, 'secret', 'v1');
      const answers = [];
      for (const repository of ['secret', 'absent']) {
        for (const path of [
          'manifests/v1',
          'tags/list',
          `blobs/${sha256('{}')}`,
          `referrers/${sha256('x')}`,
        ]) {
          const answer = await own.call('GET', `/v2/${repository}/${path}`);
          answers.push(`${answer.status} ${(await answer.text()).replaceAll(repository, '*')}`);
        }
      }
      assert.deepEqual(answers.slice(0, 4), answers.slice(4));
      assert.ok(answers.every((answer) => answer.startsWith('403')));
      const mount = await own.call('POST', `/v2/mine/blobs/uploads/?mount=${sha256('{}')}&from=secret`);
      assert.equal(mount.status, 202, 'a blob of a repository one may not read cannot be mounted');
      const catalog = await own.call('GET', '/v2/_catalog');
      assert.deepEqual(await catalog.json(), { repositories: [] });
    } finally {
      await own.close();
    }
  });

  it('anonymous callers read where they may, and are asked to log in for the rest', async () => {
    const anonymous: Principal = { actor: 'anonymous', roles: ['pull'] };
    const admin: Principal = { actor: 'token:admin', roles: ['pull', 'create'] };
    const open = await startTestRegistry({
      authenticate: async (header) =>
        header === undefined ? anonymous : header === 'Bearer admin' ? admin : null,
    });
    try {
      await pushImage(open, 'public', 'v1');
      assert.equal((await open.call('GET', '/v2/public/manifests/v1', { token: null })).status, 200);
      for (const [method, path] of [
        ['GET', '/v2/'],
        ['POST', '/v2/public/blobs/uploads/'],
        ['DELETE', '/v2/public/manifests/v1'],
      ]) {
        const answer = await open.call(method!, path!, { token: null });
        assert.equal(answer.status, 401);
        assert.match(answer.headers.get('www-authenticate')!, /^Bearer realm=/);
      }
      const issued = await open.call('GET', '/v2/token', { token: null });
      const { token } = (await issued.json()) as { token: string };
      assert.equal((await open.call('GET', '/v2/public/manifests/v1', { token })).status, 200);
      assert.equal((await open.call('GET', '/v2/public/manifests/v1', { token: 'wrong' })).status, 401);
    } finally {
      await open.close();
    }
  });
});
