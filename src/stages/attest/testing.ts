import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLogger } from '../../platform/log.ts';
import { createRegistryClient } from '../../platform/oci/client.ts';
import { MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { testDatabase } from '../../platform/postgres/testing.ts';
import { fileHeadStore } from '../../support/ledger/head.ts';
import { logSigner } from '../../support/ledger/log.ts';
import { runSequencer } from '../../support/ledger/sequencer.ts';
import { openKeyring } from '../../support/secrets/keyring.ts';
import type { AttestDeps } from './apply.ts';
import type { AttestationInput } from './input.ts';
import type { EvidenceTrust } from './judge.ts';

/** A small registry of the OCI distribution specification in memory: enough for cosign and for our client. */
export interface MemoryRegistry {
  host: string;
  client: RegistryClient;
  manifests: Map<string, { mediaType: string; bytes: Buffer }>;
  blobs: Map<string, Buffer>;
  close(): Promise<void>;
}

export async function startMemoryRegistry(): Promise<MemoryRegistry> {
  const manifests: MemoryRegistry['manifests'] = new Map();
  const blobs: MemoryRegistry['blobs'] = new Map();
  const server = createServer((request, response) => {
    void answer(request, response, manifests, blobs).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    manifests,
    blobs,
    client: createRegistryClient({ url: `http://${host}`, credentials: null, userAgent: 'test' }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  manifests: MemoryRegistry['manifests'],
  blobs: MemoryRegistry['blobs'],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const url = new URL(request.url ?? '/', 'http://registry');
  const [, repository = '', kind, reference = ''] =
    /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|referrers)\/(.*)$/.exec(url.pathname) ?? [];
  const send = (
    status: number,
    headers: Record<string, string | number> = {},
    bytes: Uint8Array = Buffer.alloc(0),
  ) =>
    response
      .writeHead(status, { 'content-length': bytes.length, ...headers })
      .end(request.method === 'HEAD' ? undefined : bytes);
  if (url.pathname === '/v2/') send(200);
  else if (kind === 'blobs/uploads' && request.method === 'POST' && !url.searchParams.has('digest')) {
    send(202, { location: `/v2/${repository}/blobs/uploads/1` });
  } else if (kind === 'blobs/uploads' && request.method === 'PATCH') {
    const upload = `upload-${blobs.size}`;
    blobs.set(upload, body);
    send(202, { location: `/v2/${repository}/blobs/uploads/${upload}`, range: `0-${body.length - 1}` });
  } else if (kind === 'blobs/uploads') {
    const content = blobs.get(reference) ?? body;
    blobs.delete(reference);
    blobs.set(sha256(content), content);
    send(201, { location: `/v2/${repository}/blobs/${sha256(content)}` });
  } else if (kind === 'manifests' && request.method === 'PUT') {
    const entry = { mediaType: request.headers['content-type'] ?? '', bytes: body };
    manifests.set(sha256(body), entry).set(reference, entry);
    const subject = (JSON.parse(body.toString()) as { subject?: { digest: string } }).subject?.digest;
    send(201, { 'docker-content-digest': sha256(body), ...(subject ? { 'oci-subject': subject } : {}) });
  } else if (kind === 'manifests') {
    const found = manifests.get(reference);
    if (!found) return void send(404);
    send(200, { 'content-type': found.mediaType, 'docker-content-digest': sha256(found.bytes) }, found.bytes);
  } else if (kind === 'blobs') {
    const found = blobs.get(reference);
    send(found ? 200 : 404, {}, found);
  } else if (kind === 'referrers') {
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA.imageIndex,
      manifests: referrersOf(manifests, reference),
    };
    send(200, { 'content-type': MEDIA.imageIndex }, Buffer.from(JSON.stringify(index)));
  } else send(404);
}

function referrersOf(manifests: MemoryRegistry['manifests'], subject: string): object[] {
  return [...manifests].flatMap(([key, { mediaType, bytes }]) => {
    const manifest = JSON.parse(bytes.toString()) as Record<string, { digest?: string }>;
    if (!key.startsWith('sha256:') || manifest.subject?.digest !== subject) return [];
    const { artifactType, annotations } = manifest;
    return [{ mediaType, digest: key, size: bytes.length, artifactType, annotations }];
  });
}

/** An image of nothing, pushed. */
export async function pushImage(
  client: RegistryClient,
  repository: string,
  content = 'image',
): Promise<Digest> {
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', content, rootfs: { type: 'layers', diff_ids: [] } }),
  );
  await client.putBlob(repository, sha256(config), config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.imageManifest,
      config: { mediaType: MEDIA.imageConfig, digest: sha256(config), size: config.length },
      layers: [],
    }),
  );
  return await client.putManifest(repository, sha256(manifest), MEDIA.imageManifest, manifest);
}

export interface Workshop {
  deps: AttestDeps;
  gate: AttestDeps;
  trust: EvidenceTrust;
  registry: MemoryRegistry;
  keys: string;
  close(): Promise<void>;
}

/** Everything real: PostgreSQL, a running sequencer, a keyring on disk, a registry over HTTP. */
export async function openWorkshop(): Promise<Workshop> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-attest-'));
  const keys = join(home, 'keys');
  const keyring = await openKeyring(keys, systemClock, { passphrase: undefined });
  const { database, close } = await testDatabase();
  const registry = await startMemoryRegistry();
  const log = logSigner(keyring.ledgerSigner);
  const stop = new AbortController();
  const heads = fileHeadStore(join(keys, 'ledger-head'));
  const sequencing = runSequencer({
    database,
    signer: log,
    clock: systemClock,
    heads,
    signal: stop.signal,
    log: createLogger('test', 'silent'),
  });
  const deps: AttestDeps = {
    database,
    registry: registry.client,
    signer: keyring.signer('build'),
    log,
    clock: systemClock,
    actor: 'system:worker',
    builderId: 'https://builder.example',
  };
  return {
    deps,
    gate: { ...deps, signer: keyring.signer('gate') },
    trust: { keys: keyring.publicKeys(), log },
    registry,
    keys,
    async close() {
      stop.abort();
      await sequencing;
      await registry.close();
      await close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const LOCKFILE = {
  lockfileVersion: 3,
  packages: {
    '': { name: 'shop', version: '1.0.0', dependencies: { a: '^1.0.0' } },
    'node_modules/a': {
      version: '1.2.3',
      resolved: 'https://registry.npmjs.org/a/-/a-1.2.3.tgz',
      license: 'MIT',
    },
  },
};

export function someInput(digest: Digest, extra: Partial<AttestationInput> = {}): AttestationInput {
  return {
    service: 'shop',
    repository: 'shop',
    digest,
    repositoryUrl: 'https://git.example/shop.git',
    commitSha: 'c0ffee'.padEnd(40, '0'),
    commitTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    configDigest: sha256('config'),
    buildId: 'bld_01arz3ndektsv4rrffq69g5fav',
    startedAtMs: Date.UTC(2026, 0, 2, 3, 5),
    finishedAtMs: Date.UTC(2026, 0, 2, 3, 6),
    toolchain: { node: '24.21.0', npm: '11.0.0' },
    materials: [],
    lockfiles: [{ path: 'package-lock.json', bytes: Buffer.from(JSON.stringify(LOCKFILE)) }],
    tests: [{ name: 'test', passed: 12, failed: 0, skipped: 1, failedNames: [] }],
    sandbox: 'bubblewrap',
    cacheHits: 2,
    ...extra,
  };
}
