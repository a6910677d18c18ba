import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { sha256 } from '../../kernel/digest.ts';
import { pushBlob, putManifest, startTestRegistry, type TestRegistry } from './testing.ts';

let registry: TestRegistry;
before(async () => {
  registry = await startTestRegistry({ maxBlobBytes: 1_000_000 });
});
after(() => registry.close());

/** Sends exactly these bytes and gives the answer's status and body; `fetch` would tidy the path. */
function raw(head: string, body = ''): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(registry.host.split(':')[1]), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => resolve({ status: Number(text.split(' ')[1]), text })).on('error', reject);
    socket.write(`${head}\r\nHost: x\r\nAuthorization: Bearer admin\r\nConnection: close\r\n\r\n${body}`);
  });
}

describe('hostile paths', () => {
  it('never leave the repository names that the grammar allows', async () => {
    const names = [
      '..',
      '../..',
      '../../etc',
      'a/..',
      'a/../b',
      './a',
      'a//b',
      '/a',
      'a/',
      'A',
      'a_',
      '-a',
      'a..b',
      'a___b',
      'a/.b',
      '%2e%2e',
      'a%2fb',
      'a%5cb',
      'a%00',
      'a%0d%0ab',
      'ä',
      '%c3%a4',
      'a b',
      'a%20b',
      'x'.repeat(256),
      `${'a/'.repeat(128)}a`,
      "a'--",
      'a"b',
      'a;b',
      '$(a)',
      '{a}',
      '_catalog',
      'a:b',
      'a@b',
    ];
    for (const name of names) {
      for (const tail of ['manifests/v1', 'tags/list', `blobs/${sha256('x')}`]) {
        const { status, text } = await raw(`GET /v2/${name}/${tail} HTTP/1.1`);
        assert.ok(status === 400 || status === 404, `${name}: ${status}`);
        assert.doesNotMatch(text, /MANIFEST_UNKNOWN|BLOB_UNKNOWN|NAME_UNKNOWN/, name);
      }
    }
    const longest = 'x'.repeat(255);
    assert.match((await raw(`GET /v2/${longest}/manifests/v1 HTTP/1.1`)).text, /MANIFEST_UNKNOWN/);
  });

  it('that are no endpoints are not found, and wrong methods say the right ones', async () => {
    const paths = [
      '/v2/x',
      '/v2/a/manifests/',
      '/v2/a/manifests',
      '/v2/a/blobs/',
      '/v2//',
      '/v2/a/tags',
      '/v2/a/tags/list/x',
      '/v2/%zz',
    ];
    for (const path of paths) {
      const { status } = await raw(`GET ${path} HTTP/1.1`);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    }
    for (const [method, path, allow] of [
      ['POST', '/v2/', 'GET, HEAD'],
      ['PUT', `/v2/a/blobs/${sha256('x')}`, 'GET, HEAD, DELETE'],
      ['PATCH', '/v2/a/manifests/v1', 'GET, HEAD, PUT, DELETE'],
      ['DELETE', '/v2/a/tags/list', 'GET, HEAD'],
      ['OPTIONS', '/v2/_catalog', 'GET, HEAD'],
      ['GET', '/v2/a/blobs/uploads/', 'POST'],
    ] as const) {
      const answer = await registry.call(method, path);
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, allow], `${method} ${path}`);
    }
  });

  it('repository names may hold the words of the protocol', async () => {
    for (const name of [
      'manifests/manifests',
      'blobs/uploads/x',
      'tags',
      'a/blobs',
      'token',
      'a/referrers/b',
    ]) {
      const digest = await pushBlob(registry, name, '{}');
      assert.equal((await registry.call('GET', `/v2/${name}/blobs/${digest}`)).status, 200, name);
      assert.equal((await registry.call('GET', `/v2/${name}/tags/list`)).status, 200, name);
    }
  });
});

describe('hostile bodies', () => {
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: 'a/b', digest: sha256('{}'), size: 2 },
    layers: [],
  };

  it('as manifests are MANIFEST_INVALID, each with its reason', async () => {
    await pushBlob(registry, 'hostile', '{}');
    const text = JSON.stringify(manifest);
    const cases: [string | Buffer, RegExp][] = [
      ['', /not JSON/],
      ['[]', /not a JSON object/],
      ['null', /not a JSON object/],
      [`${'['.repeat(100_000)}`, /not JSON/],
      [Buffer.from([0xff, 0xfe, 0x7b, 0x7d]), /not JSON/],
      [`\ufeff${text}`, /not JSON/],
      [text.replace('2', '1'), /schemaVersion/],
      [JSON.stringify({ ...manifest, mediaType: 'application/vnd.oci.image.index.v1+json' }), /was sent as/],
      [JSON.stringify({ ...manifest, mediaType: 7 }), /mediaType is not a string/],
      [JSON.stringify({ ...manifest, manifests: [] }), /may not have manifests/],
      [JSON.stringify({ ...manifest, layers: {} }), /layers is not a list/],
      [JSON.stringify({ ...manifest, layers: [null] }), /layers\[0\] is not a descriptor/],
      [JSON.stringify({ ...manifest, config: undefined }), /config is not a descriptor/],
      [JSON.stringify({ ...manifest, config: { ...manifest.config, digest: '../../x' } }), /config.digest/],
      [
        JSON.stringify({ ...manifest, config: { ...manifest.config, digest: 'md5:00' } }),
        /neither sha256 nor sha512/,
      ],
      [JSON.stringify({ ...manifest, config: { ...manifest.config, size: -1 } }), /config.size/],
      [JSON.stringify({ ...manifest, config: { ...manifest.config, size: 1e300 } }), /config.size/],
      [JSON.stringify({ ...manifest, config: { ...manifest.config, mediaType: 'x y' } }), /config.mediaType/],
      [JSON.stringify({ ...manifest, subject: 'x' }), /subject is not a descriptor/],
      [JSON.stringify({ ...manifest, artifactType: '\0' }), /artifactType/],
      [JSON.stringify({ ...manifest, annotations: { a: '\0' } }), /not valid text/],
      [
        text.replace('}', ',"x":1}').replace('"layers"', '"annotations":{"a":"\\ud800"},"layers"'),
        /not valid text/,
      ],
      [JSON.stringify({ ...manifest, annotations: { a: 1 } }), /not a string/],
      [JSON.stringify({ ...manifest, annotations: [] }), /not an object/],
      [JSON.stringify({ ...manifest, layers: Array(8193).fill(manifest.config) }), /more than 8192/],
    ];
    for (const [body, reason] of cases) {
      const answer = await putManifest(registry, 'hostile', 'v1', body);
      const { errors } = (await answer.json()) as { errors: { code: string; message: string }[] };
      assert.deepEqual(
        [answer.status, errors[0]!.code],
        [400, 'MANIFEST_INVALID'],
        String(body).slice(0, 80),
      );
      assert.match(errors[0]!.message, reason);
    }
    for (const type of ['', 'application/json', 'text/html', '__proto__', 'constructor']) {
      assert.equal((await putManifest(registry, 'hostile', 'v1', text, { type })).status, 400, type);
    }
    const odd = JSON.parse(text.replace('{', '{"__proto__":{"subject":1},')) as object;
    assert.equal(
      (await putManifest(registry, 'hostile', 'v1', JSON.stringify({ ...odd, layers: null }))).status,
      201,
    );
  });

  it('that are refused in the middle are read to their end, so that the connection lives on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const send = (method: string, path: string, body: Buffer) =>
      new Promise<number>((resolve, reject) => {
        const headers = { authorization: 'Bearer admin', 'content-length': body.length };
        const outgoing = request(`${registry.url}${path}`, { method, agent, headers }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
        });
        outgoing.on('error', reject).end(body);
      });
    const big = Buffer.alloc(20_000_000);
    const ports = new Set<number | undefined>();
    agent.on('free', (socket: Socket) => ports.add(socket.localPort));
    const upload = `/v2/small/blobs/uploads/?digest=${sha256('x')}`;
    assert.equal(await send('POST', upload, big), 413);
    assert.equal(await send('PUT', '/v2/small/manifests/v1', big), 413);
    assert.equal(await send('POST', upload, big), 413);
    assert.equal(ports.size, 1, 'a new connection was needed');
    agent.destroy();
  });

  it('of a refused caller are not waited for', async () => {
    const { status } = await raw('PUT /v2/a/manifests/v1 HTTP/1.1\r\nContent-Length: 99999999999');
    assert.equal(status, 413);
  });
});
