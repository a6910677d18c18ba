import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sha256 } from '../../kernel/digest.ts';
import {
  errorCode,
  imageManifest,
  pushBlob,
  putManifest,
  startTestRegistry,
  type TestRegistry,
} from './testing.ts';

let registry: TestRegistry;
before(async () => {
  registry = await startTestRegistry({ maxBlobBytes: 2_000_000 });
});
after(() => registry.close());

async function begin(repository: string): Promise<string> {
  const answer = await registry.call('POST', `/v2/${repository}/blobs/uploads/`);
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get('range'), '0-0');
  return answer.headers.get('location')!;
}

describe('blobs', () => {
  it('are taken whole by POST and given back by GET and HEAD', async () => {
    const bytes = randomBytes(70_000);
    const digest = sha256(bytes);
    const pushed = await registry.call('POST', `/v2/a/b/blobs/uploads/?digest=${digest}`, { body: bytes });
    assert.equal(pushed.status, 201);
    assert.equal(pushed.headers.get('docker-content-digest'), digest);
    const location = pushed.headers.get('location')!;
    const got = await registry.call('GET', location);
    assert.equal(got.status, 200);
    assert.equal(got.headers.get('content-length'), '70000');
    assert.equal(got.headers.get('docker-content-digest'), digest);
    assert.equal(got.headers.get('content-type'), 'application/octet-stream');
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(bytes));
    const head = await registry.call('HEAD', `/v2/a/b/blobs/${digest.replace(':', '%3A')}`);
    assert.equal(head.status, 200);
    assert.equal(head.headers.get('content-length'), '70000');
    const fresh = await registry.call('GET', location, { headers: { 'if-none-match': `"${digest}"` } });
    assert.equal(fresh.status, 304);
  });

  it('are given by range', async () => {
    const digest = await pushBlob(registry, 'ranges', '0123456789');
    const ask = async (range: string) => {
      const answer = await registry.call('GET', `/v2/ranges/blobs/${digest}`, { headers: { range } });
      return [
        answer.status,
        answer.headers.get('content-range'),
        answer.status < 400 ? await answer.text() : '',
      ];
    };
    assert.deepEqual(await ask('bytes=2-4'), [206, 'bytes 2-4/10', '234']);
    assert.deepEqual(await ask('bytes=7-'), [206, 'bytes 7-9/10', '789']);
    assert.deepEqual(await ask('bytes=-3'), [206, 'bytes 7-9/10', '789']);
    assert.deepEqual(await ask('bytes=8-999'), [206, 'bytes 8-9/10', '89']);
    assert.deepEqual(await ask('bytes=10-'), [416, 'bytes */10', '']);
    assert.deepEqual(await ask('bytes=5-2'), [200, null, '0123456789']);
    assert.deepEqual(await ask('lines=1-2'), [200, null, '0123456789']);
    const stale = await registry.call('GET', `/v2/ranges/blobs/${digest}`, {
      headers: { range: 'bytes=2-4', 'if-range': '"other"' },
    });
    assert.equal(stale.status, 200);
  });

  it('arrive whole at a reader that is slow, however many buffers they take', async () => {
    const bytes = randomBytes(1_999_999);
    const digest = await pushBlob(registry, 'slow', bytes);
    const got = await registry.call('GET', `/v2/slow/blobs/${digest}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of got.body!) {
      chunks.push(chunk);
      if (chunks.length % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(Buffer.concat(chunks).equals(bytes));
  });

  it('that are absent are BLOB_UNKNOWN, malformed digests DIGEST_INVALID', async () => {
    const absent = await registry.call('GET', `/v2/a/blobs/${sha256('absent')}`);
    assert.equal(absent.status, 404);
    assert.equal(await errorCode(absent), 'BLOB_UNKNOWN');
    const head = await registry.call('HEAD', `/v2/a/blobs/${sha256('absent')}`);
    assert.equal(head.status, 404);
    assert.equal(await head.text(), '');
    const malformed = await registry.call('GET', '/v2/a/blobs/sha256:xyz');
    assert.deepEqual([malformed.status, await errorCode(malformed)], [400, 'DIGEST_INVALID']);
    const other = await registry.call('GET', '/v2/a/blobs/blake3:0011');
    assert.deepEqual([other.status, await errorCode(other)], [404, 'BLOB_UNKNOWN']);
  });

  it('belong to their repository: a blob of another is absent here', async () => {
    const digest = await pushBlob(registry, 'mine', 'private bytes');
    assert.equal((await registry.call('GET', `/v2/yours/blobs/${digest}`)).status, 404);
  });

  it('can have a sha512 digest', async () => {
    const bytes = randomBytes(1000);
    const digest = `sha512:${createHash('sha512').update(bytes).digest('hex')}`;
    const start = await registry.call('POST', '/v2/long/blobs/uploads/?digest-algorithm=sha512');
    const location = start.headers.get('location')!;
    const done = await registry.call('PUT', `${location}?digest=${digest}`, { body: bytes });
    assert.equal(done.status, 201);
    const got = await registry.call('GET', `/v2/long/blobs/${digest}`);
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(bytes));
    const unknown = await registry.call('POST', '/v2/long/blobs/uploads/?digest-algorithm=md5');
    assert.deepEqual([unknown.status, await errorCode(unknown)], [400, 'DIGEST_INVALID']);
  });
});

describe('uploads', () => {
  it('take chunks in order and refuse disorder with 416 and how far they are', async () => {
    const location = await begin('chunks');
    const patch = (range: string | null, body: string) =>
      registry.call('PATCH', location, { body, headers: range === null ? {} : { 'content-range': range } });
    const first = await patch('0-4', '01234');
    assert.equal(first.status, 202);
    assert.equal(first.headers.get('range'), '0-4');
    assert.equal(first.headers.get('location'), location);
    for (const range of ['0-4', '6-10']) {
      const disorder = await patch(range, '56789');
      assert.equal(disorder.status, 416);
      assert.equal(disorder.headers.get('range'), '0-4');
      assert.equal(disorder.headers.get('location'), location);
      assert.equal(await errorCode(disorder), 'BLOB_UPLOAD_INVALID');
    }
    const lying = await patch('5-6', '567');
    assert.deepEqual([lying.status, await errorCode(lying)], [400, 'SIZE_INVALID']);
    assert.equal((await patch('garbage', 'x')).status, 400);
    const status = await registry.call('GET', location);
    assert.deepEqual(
      [status.status, status.headers.get('range'), status.headers.get('location')],
      [204, '0-4', location],
    );
    assert.equal((await patch(null, '567')).headers.get('range'), '0-7');
    const last = await registry.call('PUT', `${location}?digest=${sha256('0123456789')}`, {
      body: '89',
      headers: { 'content-range': '8-9' },
    });
    assert.equal(last.status, 201);
    assert.equal(last.headers.get('location'), `/v2/chunks/blobs/${sha256('0123456789')}`);
    const gone = await registry.call('GET', location);
    assert.deepEqual([gone.status, await errorCode(gone)], [404, 'BLOB_UPLOAD_UNKNOWN']);
  });

  it('with the wrong digest are refused, over, and leave nothing', async () => {
    const location = await begin('wrong');
    await registry.call('PATCH', location, { body: 'some bytes' });
    const refused = await registry.call('PUT', `${location}?digest=${sha256('other bytes')}`);
    assert.deepEqual([refused.status, await errorCode(refused)], [400, 'DIGEST_INVALID']);
    assert.equal((await registry.call('GET', location)).status, 404);
    const whole = await registry.call('POST', `/v2/wrong/blobs/uploads/?digest=${sha256('a')}`, {
      body: 'b',
    });
    assert.deepEqual([whole.status, await errorCode(whole)], [400, 'DIGEST_INVALID']);
    for (const digest of [sha256('a'), sha256('b'), sha256('other bytes'), sha256('some bytes')]) {
      assert.equal((await registry.call('HEAD', `/v2/wrong/blobs/${digest}`)).status, 404);
    }
    const missing = await registry.call('PUT', await begin('wrong'));
    assert.deepEqual([missing.status, await errorCode(missing)], [400, 'DIGEST_INVALID']);
  });

  it('may not grow beyond the bound', async () => {
    const big = randomBytes(2_000_001);
    const answer = await registry.call('POST', `/v2/big/blobs/uploads/?digest=${sha256(big)}`, { body: big });
    assert.deepEqual([answer.status, await errorCode(answer)], [413, 'SIZE_INVALID']);
    assert.equal((await registry.call('HEAD', `/v2/big/blobs/${sha256(big)}`)).status, 404);
  });

  it('are cancelled by DELETE', async () => {
    const location = await begin('cancel');
    await registry.call('PATCH', location, { body: 'bytes' });
    assert.equal((await registry.call('DELETE', location)).status, 204);
    assert.equal((await registry.call('PATCH', location, { body: 'more' })).status, 404);
    assert.equal((await registry.call('DELETE', location)).status, 404);
    const uploads = await readdir(join(registry.directory, 'uploads'));
    assert.ok(!uploads.includes(location.split('/').at(-1)!));
  });

  it('belong to their repository and to who began them', async () => {
    const location = await begin('owner');
    const id = location.split('/').at(-1);
    assert.equal((await registry.call('PATCH', `/v2/other/blobs/uploads/${id}`, { body: 'x' })).status, 404);
    assert.equal((await registry.call('PATCH', location, { body: 'x', token: 'writer' })).status, 404);
    assert.equal(
      (await registry.call('PATCH', '/v2/owner/blobs/uploads/..%2f..%2fx', { body: 'x' })).status,
      404,
    );
  });

  it('go on after the connection broke in the middle of a chunk', async () => {
    const location = await begin('broken');
    const bytes = randomBytes(2_000_000);
    const offset = async () => {
      const range = (await registry.call('GET', location)).headers.get('range') ?? '';
      return Number(range.split('-')[1]) + 1;
    };
    const until = async (reached: (bytes: number) => boolean) => {
      const deadline = Date.now() + 5_000;
      while (!reached(await offset())) assert.ok(Date.now() < deadline, `still at ${await offset()}`);
    };
    const socket = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
    socket.write(
      `PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 2000000\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 1_500_000));
    // Whole batches are in the file; the rest is in memory until the connection ends.
    await until((reached) => reached >= 1_000_000);
    socket.destroy();
    await until((reached) => reached > 1_200_000);
    const at = await offset();
    const rest = await registry.call('PATCH', location, {
      body: bytes.subarray(at),
      headers: { 'content-range': `${at}-1999999` },
    });
    assert.equal(rest.status, 202);
    assert.equal((await registry.call('PUT', `${location}?digest=${sha256(bytes)}`)).status, 201);
  });
});

describe('mount', () => {
  it('takes a blob over from another repository', async () => {
    const digest = await pushBlob(registry, 'from', 'shared bytes');
    const mounted = await registry.call('POST', `/v2/to/blobs/uploads/?mount=${digest}&from=from`);
    assert.equal(mounted.status, 201);
    assert.equal(mounted.headers.get('location'), `/v2/to/blobs/${digest}`);
    assert.equal(await (await registry.call('GET', `/v2/to/blobs/${digest}`)).text(), 'shared bytes');
  });

  it('that cannot be is an ordinary upload', async () => {
    const digest = await pushBlob(registry, 'from', 'shared bytes');
    for (const query of [
      `mount=${sha256('absent')}&from=from`,
      `mount=${digest}&from=nowhere`,
      `mount=${digest}`,
      'mount=x&from=..',
    ]) {
      const answer = await registry.call('POST', `/v2/to/blobs/uploads/?${query}`);
      assert.equal(answer.status, 202, query);
      assert.match(answer.headers.get('location')!, /^\/v2\/to\/blobs\/uploads\/[0-9a-f]{32}$/);
    }
  });
});

describe('deleting blobs', () => {
  it('shows at once, and the last repository takes the file along', async () => {
    const digest = await pushBlob(registry, 'del-a', 'deleted bytes');
    await pushBlob(registry, 'del-b', 'deleted bytes');
    assert.equal((await registry.call('DELETE', `/v2/del-a/blobs/${digest}`)).status, 202);
    assert.equal((await registry.call('GET', `/v2/del-a/blobs/${digest}`)).status, 404);
    assert.equal((await registry.call('GET', `/v2/del-b/blobs/${digest}`)).status, 200);
    assert.equal((await registry.call('DELETE', `/v2/del-a/blobs/${digest}`)).status, 404);
    assert.equal((await registry.call('DELETE', `/v2/del-b/blobs/${digest}`)).status, 202);
    assert.equal(await registry.blobs.stat(sha256('deleted bytes')), null);
  });

  it('is refused while a manifest needs them', async () => {
    const [config, layer] = [
      await pushBlob(registry, 'held', '{}'),
      await pushBlob(registry, 'held', 'layer'),
    ];
    const text = imageManifest({ layers: ['layer'], annotations: { about: sha256('mentioned') } });
    const pushed = await putManifest(registry, 'held', 'v1', text);
    assert.equal(pushed.status, 201);
    for (const digest of [config, layer]) {
      const refused = await registry.call('DELETE', `/v2/held/blobs/${digest}`);
      assert.deepEqual([refused.status, await errorCode(refused)], [405, 'UNSUPPORTED']);
    }
    const mentioned = await pushBlob(registry, 'held', 'mentioned');
    assert.equal((await registry.call('DELETE', `/v2/held/blobs/${mentioned}`)).status, 202);
    assert.equal((await registry.call('DELETE', `/v2/held/manifests/${sha256(text)}`)).status, 202);
    assert.equal((await registry.call('DELETE', `/v2/held/blobs/${layer}`)).status, 202);
  });

  it('a push beside a delete of the same bytes is never acknowledged and lost', async () => {
    const bytes = 'contended bytes';
    for (let round = 0; round < 15; round++) {
      const digest = await pushBlob(registry, 'race-a', bytes);
      const [, pushed] = await Promise.all([
        registry.call('DELETE', `/v2/race-a/blobs/${digest}`),
        registry.call('POST', `/v2/race-b/blobs/uploads/?digest=${digest}`, { body: bytes }),
      ]);
      assert.equal(pushed.status, 201);
      assert.equal(await (await registry.call('GET', `/v2/race-b/blobs/${digest}`)).text(), bytes);
      await registry.call('DELETE', `/v2/race-b/blobs/${digest}`);
    }
  });
});
