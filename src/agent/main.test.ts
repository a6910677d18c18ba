import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createAgentClient } from '../platform/agent-client.ts';
import { systemClock } from '../platform/clock.ts';
import { createLogger } from '../platform/log.ts';
import type { RegistryClient } from '../platform/oci/types.ts';
import { startAgent } from './main.ts';
import { testSpec, until } from './testing/host.ts';
import { pushImage, serverLayer } from './testing/image-builder.ts';
import { layoutRegistry } from './testing/layout-registry.ts';

const directory = await mkdtemp(join(tmpdir(), 'slipway-agent-main-'));
after(() => rm(directory, { recursive: true, force: true }));

/** The pull side of the distribution protocol over what the test pushed. */
function serveRegistry(
  content: RegistryClient,
): (request: IncomingMessage, response: ServerResponse) => void {
  return async (request, response) => {
    const [, repository, kind, digest] =
      /^\/v2\/(.+)\/(manifests|blobs)\/(sha256:[0-9a-f]{64})$/.exec(request.url ?? '') ?? [];
    if (repository === undefined) return response.writeHead(404).end();
    const { bytes, mediaType } =
      kind === 'manifests'
        ? await content.getManifest(repository, digest!)
        : {
            bytes: await content.getBlob(repository, digest as `sha256:${string}`, 2 ** 30),
            mediaType: 'application/octet-stream',
          };
    response.writeHead(200, {
      'content-type': mediaType,
      'content-length': bytes.length,
      'docker-content-digest': digest,
    });
    return response.end(bytes);
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve) =>
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
}

test('an image comes from a registry by HTTP, also when the registry is late, and the agent ends with its instances', async () => {
  const content = layoutRegistry(join(directory, 'registry'));
  const { digest } = await pushImage(content, 'shop', { layers: [await serverLayer()] });
  const probe = createServer();
  const registryPort = await listen(probe, 0);
  await new Promise((resolve) => probe.close(resolve));
  const agent = await startAgent({
    dataDirectory: join(directory, 'data'),
    control: { host: '127.0.0.1', port: 0 },
    token: 'token',
    registry: { url: `http://127.0.0.1:${registryPort}`, credentials: null },
    clock: systemClock,
    log: createLogger('agent', 'silent'),
  });
  const client = createAgentClient({ url: `http://127.0.0.1:${agent.controlPort}`, token: 'token' });
  const registry = createServer(serveRegistry(content));
  try {
    await client.put(testSpec({ id: 'late', digest }));
    const waiting = await until('the pull has failed once', async () => {
      const status = await client.get('late');
      return status?.reason?.startsWith('unreachable: ') ? status : null;
    });
    assert.equal(waiting.state, 'pulling');
    await listen(registry, registryPort);
    const ready = await until('it is ready', async () => {
      const status = await client.get('late');
      return status?.state === 'ready' ? status : null;
    });
    assert.equal(await (await fetch(`http://127.0.0.1:${ready.port}/`)).text(), 'hello');
    await agent.close({ stopInstances: true });
    await assert.rejects(fetch(`http://127.0.0.1:${ready.port}/`));
  } finally {
    registry.close();
    registry.closeAllConnections();
    await agent.close({ stopInstances: true });
  }
});
