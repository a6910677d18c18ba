import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastify } from 'fastify';
import { sha256 } from '../../kernel/digest.ts';
import { openDiskStore } from '../../platform/blobs/disk.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Principal } from '../../platform/http/route.ts';
import { createLogger } from '../../platform/log.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import type { RegistryDeps, TagDeletedEntry } from './deps.ts';
import type { RegistryAction } from './plan.ts';
import { registerRegistry } from './register.ts';

export const TOKENS: Record<string, RegistryAction[]> = {
  admin: ['pull', 'create', 'overwrite', 'delete', 'attach'],
  reader: ['pull'],
  writer: ['pull', 'create'],
  attacher: ['pull', 'attach'],
};

export interface TestRegistry {
  url: string;
  host: string;
  database: TestDatabase['database'];
  databaseUrl: string;
  blobs: RegistryDeps['blobs'];
  directory: string;
  deleted: TagDeletedEntry[];
  /** Tokens in here are refused from now on. */
  revoked: Set<string>;
  /** Fetch with the admin's token, unless `token` says otherwise (null: none). */
  call(method: string, path: string, options?: CallOptions): Promise<Response>;
  close(): Promise<void>;
}

export interface CallOptions {
  token?: string | null;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

/** A registry over real HTTP, PostgreSQL and disk, whose tokens are the names in TOKENS. */
export async function startTestRegistry(overrides: Partial<RegistryDeps> = {}): Promise<TestRegistry> {
  const { database, url: databaseUrl, close: closeDatabase } = await testDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'slipway-registry-'));
  const deleted: TagDeletedEntry[] = [];
  const revoked = new Set<string>();
  const blobs = overrides.blobs ?? openDiskStore(directory);
  const app = fastify({ forceCloseConnections: true });
  await registerRegistry(app, {
    database,
    blobs,
    clock: systemClock,
    log: createLogger('registry-test', 'silent'),
    authenticate: async (header) => testPrincipal(header, revoked),
    allowed: (principal, action) => principal.roles.includes(action),
    append: async (_tx, entry) => deleted.push(entry),
    ...overrides,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    host: `127.0.0.1:${port}`,
    database,
    databaseUrl,
    blobs,
    directory,
    deleted,
    revoked,
    call(method, path, { token = 'admin', headers = {}, body } = {}) {
      const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
      return fetch(`${url}${path}`, {
        method,
        headers: { ...authorization, ...headers },
        redirect: 'manual',
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
      });
    },
    async close() {
      await app.close();
      await closeDatabase();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function testPrincipal(header: string | undefined, revoked: Set<string>): Principal | null {
  const token = header?.replace(/^Bearer /, '') ?? '';
  const roles = Object.hasOwn(TOKENS, token) && !revoked.has(token) ? TOKENS[token] : undefined;
  return roles ? { actor: `token:${token}`, roles } : null;
}

export async function pushBlob(
  registry: TestRegistry,
  repository: string,
  bytes: Buffer | string,
): Promise<string> {
  const digest = sha256(bytes);
  const answer = await registry.call('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
    body: bytes,
  });
  if (answer.status !== 201) throw new Error(`push of a blob: ${answer.status} ${await answer.text()}`);
  return digest;
}

export interface ManifestParts {
  config?: string;
  layers?: string[];
  artifactType?: string;
  subject?: { mediaType: string; digest: string; size: number };
  annotations?: Record<string, string>;
}

/** Text of an image manifest over these bytes; push the config and layers first. */
export function imageManifest({ config = '{}', layers = [], ...rest }: ManifestParts = {}): string {
  const describe = (mediaType: string, bytes: string) => ({
    mediaType,
    digest: sha256(bytes),
    size: Buffer.byteLength(bytes),
  });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.imageManifest,
    config: describe(MEDIA.imageConfig, config),
    layers: layers.map((layer) => describe(MEDIA.layerTarGzip, layer)),
    ...rest,
  });
}

export async function pushImage(
  registry: TestRegistry,
  repository: string,
  reference: string,
  parts: ManifestParts = {},
): Promise<{ digest: string; text: string; size: number }> {
  for (const bytes of [parts.config ?? '{}', ...(parts.layers ?? [])])
    await pushBlob(registry, repository, bytes);
  const text = imageManifest(parts);
  const answer = await putManifest(registry, repository, reference, text);
  if (answer.status !== 201) throw new Error(`push of a manifest: ${answer.status} ${await answer.text()}`);
  return { digest: sha256(text), text, size: Buffer.byteLength(text) };
}

export function putManifest(
  registry: TestRegistry,
  repository: string,
  reference: string,
  body: string | Buffer,
  options: { token?: string; type?: string } = {},
): Promise<Response> {
  return registry.call('PUT', `/v2/${repository}/manifests/${reference}`, {
    body,
    headers: { 'content-type': options.type ?? MEDIA.imageManifest },
    ...(options.token ? { token: options.token } : {}),
  });
}

/** The first OCI error code of an answer. */
export async function errorCode(answer: Response): Promise<string> {
  const { errors } = (await answer.json()) as { errors: { code: string; message: string }[] };
  return errors[0]!.code;
}
