import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type TestHost, testHost, testSpec, until, untilState } from './testing/host.ts';
import { pushImage, serverLayer } from './testing/image-builder.ts';

let host: TestHost;
let digest: `sha256:${string}`;

before(async () => {
  host = await testHost();
  digest = (await pushImage(host.registry, 'shop', { layers: [await serverLayer()] }))
    .digest as typeof digest;
  await host.start();
});
after(() => host.end());

test('an instance becomes ready, serves, and stops gracefully', async () => {
  const first = await host.client.put(testSpec({ id: 'one', digest, env: { VERSION: 'v1' } }));
  assert.equal(first.state, 'pulling');
  const ready = await untilState(host, 'one', 'ready');
  const text = await (await fetch(`http://${ready.host}:${ready.port}/`)).text();
  assert.equal(text, 'v1');
  assert.deepEqual(host.processesOf('one'), [ready.pid]);
  await host.client.remove('one', 1);
  await until('it is forgotten', async () => (await host.client.get('one')) === null);
  assert.deepEqual(host.processesOf('one'), []);
  assert.match(await host.client.logs('one'), /listening as \d+\nstopping gracefully\nstopped\n$/);
});
