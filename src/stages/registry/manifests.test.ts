import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { sha256 } from '../../kernel/digest.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import { MANIFEST_BYTES_MAX } from './manifest.ts';
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

const get = (repository: string, reference: string, method = 'GET') =>
  registry.call(method, `/v2/${repository}/manifests/${reference}`);

function indexOf(manifests: { digest: string; size: number }[], more: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.imageIndex,
    manifests: manifests.map(({ digest, size }) => ({ mediaType: MEDIA.imageManifest, digest, size })),
    ...more,
  });
}

describe('manifests', () => {
  it('come back byte for byte, by tag and by digest, by GET and by HEAD', async () => {
    await pushBlob(registry, 'm/exact', '{}');
    const text = `  ${imageManifest().replace('{"', '{\n  "')}\n`;
    const digest = sha256(text);
    const pushed = await putManifest(registry, 'm/exact', 'v1', text);
    assert.equal(pushed.status, 201);
    assert.equal(pushed.headers.get('location'), `/v2/m/exact/manifests/${digest}`);
    assert.equal(pushed.headers.get('docker-content-digest'), digest);
    assert.equal(pushed.headers.get('oci-subject'), null);
    for (const reference of ['v1', digest]) {
      const got = await get('m/exact', reference);
      assert.equal(await got.text(), text);
      const head = await get('m/exact', reference, 'HEAD');
      for (const answer of [got, head]) {
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('content-type'), MEDIA.imageManifest);
        assert.equal(answer.headers.get('docker-content-digest'), digest);
        assert.equal(answer.headers.get('content-length'), String(text.length));
      }
      assert.equal(await head.text(), '');
    }
  });

  it('that are absent are MANIFEST_UNKNOWN, also by a reference that cannot be one', async () => {
    for (const reference of [
      'absent',
      sha256('absent'),
      '.INVALID',
      `${'x'.repeat(129)}`,
      'a%00b',
      'a%2Fb',
      'md5:00',
    ]) {
      for (const method of ['GET', 'DELETE']) {
        const answer = await get('m/exact', reference, method);
        assert.deepEqual(
          [answer.status, await errorCode(answer)],
          [404, 'MANIFEST_UNKNOWN'],
          `${method} ${reference}`,
        );
      }
    }
    const nowhere = await get('m/nowhere', 'v1');
    assert.equal(nowhere.status, 404);
    const put = await putManifest(registry, 'm/exact', '.bad', imageManifest());
    assert.deepEqual([put.status, await errorCode(put)], [400, 'MANIFEST_INVALID']);
  });

  it('can be pushed by sha256 and sha512 digest, but not by one of other bytes', async () => {
    await pushBlob(registry, 'm/digest', '{}');
    const text = imageManifest();
    const long = `sha512:${createHash('sha512').update(text).digest('hex')}`;
    for (const digest of [sha256(text), long]) {
      const pushed = await putManifest(registry, 'm/digest', digest, text);
      assert.deepEqual([pushed.status, pushed.headers.get('docker-content-digest')], [201, digest]);
      assert.equal(await (await get('m/digest', digest)).text(), text);
    }
    const wrong = await putManifest(registry, 'm/digest', sha256('other'), text);
    assert.deepEqual([wrong.status, await errorCode(wrong)], [400, 'DIGEST_INVALID']);
  });

  it('pushed by digest take tags along', async () => {
    const { text, digest } = await pushImage(registry, 'm/tags', 'v1');
    const answer = await registry.call('PUT', `/v2/m/tags/manifests/${digest}?tag=v2&tag=v3`, {
      body: text,
      headers: { 'content-type': MEDIA.imageManifest },
    });
    assert.deepEqual([answer.status, answer.headers.get('oci-tag')], [201, 'v2, v3']);
    assert.equal((await get('m/tags', 'v3', 'HEAD')).headers.get('docker-content-digest'), digest);
    const many = Array.from({ length: 65 }, (_, n) => `tag=t${n}`).join('&');
    assert.equal(
      (await registry.call('PUT', `/v2/m/tags/manifests/${digest}?${many}`, { body: text })).status,
      414,
    );
  });

  it('need what they name: blobs, and manifests of an index, but not the subject', async () => {
    await pushBlob(registry, 'm/needs', '{}');
    const missing = await putManifest(registry, 'm/needs', 'v1', imageManifest({ layers: ['absent'] }));
    assert.deepEqual([missing.status, await errorCode(missing)], [404, 'MANIFEST_BLOB_UNKNOWN']);
    assert.equal((await get('m/needs', 'v1')).status, 404);
    const child = await pushImage(registry, 'm/needs', 'child');
    const lost = await putManifest(registry, 'm/needs', 'i', indexOf([{ digest: sha256('?'), size: 1 }]), {
      type: MEDIA.imageIndex,
    });
    assert.deepEqual([lost.status, await errorCode(lost)], [404, 'MANIFEST_BLOB_UNKNOWN']);
    const index = indexOf([child], {
      subject: { mediaType: MEDIA.imageManifest, digest: sha256('later'), size: 3 },
    });
    const pushed = await putManifest(registry, 'm/needs', 'i', index, { type: MEDIA.imageIndex });
    assert.deepEqual([pushed.status, pushed.headers.get('oci-subject')], [201, sha256('later')]);
    const lying = imageManifest().replace('"size":2', '"size":3');
    const refused = await putManifest(registry, 'm/needs', 'v2', lying);
    assert.deepEqual([refused.status, await errorCode(refused)], [400, 'MANIFEST_INVALID']);
  });

  it('may have 4 MiB and no more', async () => {
    await pushBlob(registry, 'm/large', '{}');
    const room = MANIFEST_BYTES_MAX - imageManifest({ annotations: { a: '' } }).length;
    const largest = imageManifest({ annotations: { a: 'x'.repeat(room) } });
    assert.equal(largest.length, MANIFEST_BYTES_MAX);
    assert.equal((await putManifest(registry, 'm/large', 'v1', largest)).status, 201);
    assert.equal((await (await get('m/large', 'v1')).text()).length, MANIFEST_BYTES_MAX);
    const answer = await putManifest(registry, 'm/large', 'v2', `${largest} `);
    assert.deepEqual([answer.status, await errorCode(answer)], [413, 'SIZE_INVALID']);
    const unstated = await fetch(`${registry.url}/v2/m/large/manifests/v2`, {
      method: 'PUT',
      headers: { authorization: 'Bearer admin' },
      body: new Blob([`${largest} `]).stream(),
      duplex: 'half',
    } as RequestInit);
    assert.equal(unstated.status, 413);
  });
});

describe('tags', () => {
  it('are immutable: another digest is DENIED with a sentence, the same is taken again', async () => {
    const first = await pushImage(registry, 't/app', 'v1');
    assert.equal((await putManifest(registry, 't/app', 'v1', first.text)).status, 201);
    const other = imageManifest({ annotations: { n: '2' } });
    const refused = await putManifest(registry, 't/app', 'v1', other);
    assert.equal(refused.status, 403);
    const { errors } = (await refused.json()) as { errors: { code: string; message: string }[] };
    assert.equal(errors[0]!.code, 'DENIED');
    assert.match(errors[0]!.message, /tag v1 of t\/app is immutable and names sha256:/);
    assert.equal((await get('t/app', 'v1', 'HEAD')).headers.get('docker-content-digest'), first.digest);
    assert.equal((await get('t/app', sha256(other))).status, 404, 'the refused manifest is not there either');
  });

  it('under dev/ and those of attachments may move, by who may', async () => {
    await pushImage(registry, 'dev/app', 'latest');
    const other = imageManifest({ annotations: { n: '2' } });
    assert.equal((await putManifest(registry, 'dev/app', 'latest', other, { token: 'writer' })).status, 403);
    assert.equal((await putManifest(registry, 'dev/app', 'latest', other)).status, 201);
    assert.equal(
      (await get('dev/app', 'latest', 'HEAD')).headers.get('docker-content-digest'),
      sha256(other),
    );
    const hex = sha256('x').slice(7);
    await pushBlob(registry, 't/att', '{}');
    for (const tag of [`sha256-${hex}`, `sha256-${hex}.sig`, `sha256-${hex}.att`, `sha256-${hex}.sbom`]) {
      for (const n of ['1', '2']) {
        const text = imageManifest({ annotations: { n } });
        assert.equal(
          (await putManifest(registry, 't/att', tag, text, { token: 'attacher' })).status,
          201,
          tag,
        );
      }
    }
    const near = `sha256-${hex}.other`;
    assert.equal((await putManifest(registry, 't/att', near, imageManifest())).status, 201);
    assert.equal((await putManifest(registry, 't/att', near, other)).status, 403);
  });

  it('pushed twice at once with different digests: exactly one wins, each round', async () => {
    await pushBlob(registry, 't/race', '{}');
    for (let round = 0; round < 10; round++) {
      const texts = Array.from({ length: 6 }, (_, n) =>
        imageManifest({ annotations: { n: `${round}-${n}` } }),
      );
      const answers = await Promise.all(
        texts.map((text) => putManifest(registry, 't/race', `r${round}`, text)),
      );
      const statuses = answers.map((answer) => answer.status);
      assert.deepEqual([...statuses].sort(), [201, 403, 403, 403, 403, 403]);
      const winner = texts[statuses.indexOf(201)]!;
      assert.equal(await (await get('t/race', `r${round}`)).text(), winner);
    }
  });

  it('are listed in ASCII order, in pages', async () => {
    const { text } = await pushImage(registry, 't/list', 'b');
    for (const tag of ['A', 'a', '_', '1', 'B']) await putManifest(registry, 't/list', tag, text);
    const list = async (query: string) => {
      const answer = await registry.call('GET', `/v2/t/list/tags/list${query}`);
      return { ...((await answer.json()) as object), link: answer.headers.get('link') };
    };
    const name = 't/list';
    assert.deepEqual(await list(''), { name, tags: ['1', 'A', 'B', '_', 'a', 'b'], link: null });
    assert.deepEqual(await list('?n=2'), {
      name,
      tags: ['1', 'A'],
      link: '</v2/t/list/tags/list?n=2&last=A>; rel="next"',
    });
    assert.deepEqual(await list('?n=2&last=A'), {
      name,
      tags: ['B', '_'],
      link: '</v2/t/list/tags/list?n=2&last=_>; rel="next"',
    });
    assert.deepEqual(await list('?n=2&last=_'), { name, tags: ['a', 'b'], link: null });
    assert.deepEqual(await list('?last=Z'), { name, tags: ['_', 'a', 'b'], link: null });
    assert.deepEqual(await list('?n=0'), { name, tags: [], link: null });
    assert.equal((await registry.call('GET', '/v2/t/list/tags/list?n=-1')).status, 400);
    assert.equal((await registry.call('GET', '/v2/t/list/tags/list?last=%00')).status, 400);
    const nowhere = await registry.call('GET', '/v2/t/nowhere/tags/list');
    assert.deepEqual([nowhere.status, await errorCode(nowhere)], [404, 'NAME_UNKNOWN']);
  });

  it('are deleted alone, at once, and the ledger hears of it', async () => {
    const { digest, text } = await pushImage(registry, 't/del', 'v1');
    await putManifest(registry, 't/del', 'v2', text);
    registry.deleted.length = 0;
    assert.equal((await get('t/del', 'v1')).status, 200);
    assert.equal((await get('t/del', 'v1', 'DELETE')).status, 202);
    assert.equal((await get('t/del', 'v1')).status, 404);
    assert.equal((await get('t/del', digest)).status, 200);
    assert.equal((await get('t/del', digest, 'DELETE')).status, 202);
    assert.equal((await get('t/del', digest)).status, 404);
    assert.equal((await get('t/del', 'v2')).status, 404);
    assert.equal((await get('t/del', digest, 'DELETE')).status, 404);
    assert.deepEqual(
      registry.deleted.map(({ kind, subject, actor, data }) => ({ kind, subject, actor, data })),
      ['v1', 'v2'].map((tag) => ({
        kind: 'tag.deleted',
        subject: digest,
        actor: 'token:admin',
        data: { repository: 't/del', tag },
      })),
    );
    const list = await registry.call('GET', '/v2/t/del/tags/list');
    assert.deepEqual(await list.json(), { name: 't/del', tags: [] });
  });

  it('a manifest that an index needs is kept', async () => {
    const child = await pushImage(registry, 't/held', 'child');
    const index = indexOf([child]);
    await putManifest(registry, 't/held', 'v1', index, { type: MEDIA.imageIndex });
    const refused = await get('t/held', child.digest, 'DELETE');
    assert.deepEqual([refused.status, await errorCode(refused)], [405, 'UNSUPPORTED']);
    assert.equal((await get('t/held', sha256(index), 'DELETE')).status, 202);
    assert.equal((await get('t/held', child.digest, 'DELETE')).status, 202);
  });
});

describe('catalog', () => {
  it('lists repositories in pages, only those the caller may pull', async () => {
    const walk = async (token: string) => {
      const names: string[] = [];
      let path: string | undefined = '/v2/_catalog?n=3';
      while (path) {
        const answer: Response = await registry.call('GET', path, { token });
        names.push(...((await answer.json()) as { repositories: string[] }).repositories);
        path = /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1];
      }
      return names;
    };
    const names = await walk('reader');
    assert.ok(names.length >= 10 && names.includes('t/app') && names.includes('m/exact'));
    assert.equal(new Set(names).size, names.length);
  });
});

describe('referrers', () => {
  const artifacts = (subject: string, method: Parameters<TestRegistry['call']>[2] = {}, query = '') =>
    registry.call('GET', `/v2/r/app/referrers/${subject}${query}`, method);

  it('are an index, filtered by artifact type, which falls back to the config', async () => {
    const image = await pushImage(registry, 'r/app', 'v1', { config: '{"image":1}' });
    const subject = { mediaType: MEDIA.imageManifest, digest: image.digest, size: image.size };
    const parts = [
      { subject, artifactType: 'application/x.sbom', annotations: { made: 'here' } },
      { subject, annotations: { n: '2' } },
    ];
    const pushed = [];
    for (const part of parts)
      pushed.push(await pushImage(registry, 'r/app', sha256(imageManifest(part)), part));
    const bareIndex = indexOf([], { subject });
    await putManifest(registry, 'r/app', sha256(bareIndex), bareIndex, { type: MEDIA.imageIndex });
    const all = await artifacts(image.digest);
    assert.equal(all.status, 200);
    assert.equal(all.headers.get('content-type'), MEDIA.imageIndex);
    assert.equal(all.headers.get('oci-filters-applied'), null);
    const index = (await all.json()) as {
      schemaVersion: number;
      mediaType: string;
      manifests: { digest: string }[];
    };
    assert.deepEqual([index.schemaVersion, index.mediaType], [2, MEDIA.imageIndex]);
    const expected = [
      {
        mediaType: MEDIA.imageManifest,
        digest: pushed[0]!.digest,
        size: pushed[0]!.size,
        artifactType: 'application/x.sbom',
        annotations: { made: 'here' },
      },
      {
        mediaType: MEDIA.imageManifest,
        digest: pushed[1]!.digest,
        size: pushed[1]!.size,
        artifactType: MEDIA.imageConfig,
        annotations: { n: '2' },
      },
      { mediaType: MEDIA.imageIndex, digest: sha256(bareIndex), size: bareIndex.length },
    ];
    const byDigest = (a: { digest: string }, b: { digest: string }) => (a.digest < b.digest ? -1 : 1);
    assert.deepEqual(index.manifests.sort(byDigest), expected.sort(byDigest));
    const some = await artifacts(image.digest, {}, '?artifactType=application/x.sbom');
    assert.equal(some.headers.get('oci-filters-applied'), 'artifactType');
    const filtered = (await some.json()) as { manifests: { digest: string }[] };
    assert.deepEqual(
      filtered.manifests.map((entry) => entry.digest),
      [pushed[0]!.digest],
    );
    assert.equal((await get('r/app', pushed[0]!.digest, 'DELETE')).status, 202);
    const left = (await (await artifacts(image.digest)).json()) as { manifests: unknown[] };
    assert.equal(left.manifests.length, 2);
  });

  it('of an unknown subject are an empty index, of a malformed digest 400', async () => {
    for (const subject of [sha256('unknown'), 'blake3:00ff']) {
      const answer = await artifacts(subject);
      assert.equal(answer.status, 200);
      assert.deepEqual(await answer.json(), { schemaVersion: 2, mediaType: MEDIA.imageIndex, manifests: [] });
    }
    const odd = await artifacts(sha256('x'), {}, '?artifactType=%00');
    assert.deepEqual([odd.status, odd.headers.get('oci-filters-applied')], [200, 'artifactType']);
    for (const subject of ['nonsense', 'sha256:short', 'sha256:..%2f..']) {
      const answer = await artifacts(subject);
      assert.deepEqual([answer.status, await errorCode(answer)], [400, 'DIGEST_INVALID']);
    }
  });

  it('too large for one answer come in pages that miss and repeat nothing', async () => {
    const image = await pushImage(registry, 'r/many', 'v1');
    const subject = { mediaType: MEDIA.imageManifest, digest: image.digest, size: image.size };
    const pushed: string[] = [];
    for (let n = 0; n < 5; n++) {
      const part = { subject, annotations: { n: `${n}`, pad: 'x'.repeat(1_000_000) } };
      pushed.push((await pushImage(registry, 'r/many', sha256(imageManifest(part)), part)).digest);
    }
    const found: string[] = [];
    let pages = 0;
    for (let path: string | undefined = `/v2/r/many/referrers/${image.digest}`; path; pages++) {
      const answer: Response = await registry.call('GET', path);
      const body = await answer.text();
      assert.ok(body.length < 4 * 1024 * 1024);
      found.push(
        ...(JSON.parse(body) as { manifests: { digest: string }[] }).manifests.map((entry) => entry.digest),
      );
      path = /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    assert.equal(pages, 2);
    assert.deepEqual(found.sort(), pushed.sort());
  });
});
