import { createHash } from 'node:crypto';
import type { Digest } from '../../../src/kernel/digest.ts';
import { createRegistryClient } from '../../../src/platform/oci/client.ts';
import { MEDIA, type RegistryClient } from '../../../src/platform/oci/types.ts';
import type { Api } from './api.ts';
import type { Timeline } from './timeline.ts';

export interface Forgery {
  name: 'unsigned' | 'changed after signing';
  digest: string;
  status: string;
  reason: string;
}

interface Manifest {
  config: { digest: Digest; size: number; mediaType: string };
  layers: { digest: Digest; size: number; mediaType: string }[];
  annotations?: Record<string, string>;
  [key: string]: unknown;
}

const MAX_BYTES = 256 * 1_048_576;

/**
 * Two images pushed by an ordinary client with ordinary rights: one that nobody signed, and one whose bytes were changed
 * after signing and that carries the original's signatures. The gate has to refuse both.
 */
export async function pushForgeries(api: Api, original: string, timeline: Timeline): Promise<Forgery[]> {
  const registry = createRegistryClient({
    url: api.url,
    credentials: { username: 'demo', password: api.token },
    userAgent: 'demo',
  });
  const source = await registry.getManifest('shop', original);
  const manifest = JSON.parse(source.bytes.toString('utf8')) as Manifest;
  const unsigned = await push(
    registry,
    { ...manifest, annotations: { ...manifest.annotations, 'org.example.note': 'built on a laptop' } },
    'laptop',
  );
  timeline.say('client', `pushes ${unsigned.slice(0, 19)}, which nobody signed`);
  const changed = await pushChanged(registry, manifest);
  await copySignatures(registry, original as Digest, changed);
  timeline.say(
    'client',
    `pushes ${changed.slice(0, 19)}, changed after signing, with the original's signatures`,
  );
  return [await promote(api, 'unsigned', unsigned), await promote(api, 'changed after signing', changed)];
}

async function push(registry: RegistryClient, manifest: Manifest, tag: string): Promise<Digest> {
  return registry.putManifest('shop', tag, MEDIA.imageManifest, Buffer.from(JSON.stringify(manifest)));
}

/** One byte more at the end of the last layer, and a manifest that names it. */
async function pushChanged(registry: RegistryClient, manifest: Manifest): Promise<Digest> {
  const last = manifest.layers.at(-1);
  if (last === undefined) throw new Error('the image has no layer');
  const bytes = Buffer.concat([await registry.getBlob('shop', last.digest, MAX_BYTES), Buffer.from([0])]);
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  await registry.putBlob('shop', digest, bytes);
  const layers = [...manifest.layers.slice(0, -1), { ...last, digest, size: bytes.length }];
  return push(registry, { ...manifest, layers }, 'changed');
}

async function copySignatures(registry: RegistryClient, from: Digest, to: Digest): Promise<void> {
  const target = await registry.getManifest('shop', to);
  for (const descriptor of await registry.referrers('shop', from)) {
    const referrer = await registry.getManifest('shop', descriptor.digest);
    const subject = { mediaType: target.mediaType, digest: to, size: target.bytes.length };
    const bytes = Buffer.from(
      JSON.stringify({ ...(JSON.parse(referrer.bytes.toString('utf8')) as object), subject }),
    );
    const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await registry.putManifest('shop', digest, referrer.mediaType, bytes);
  }
}

async function promote(api: Api, name: Forgery['name'], digest: Digest): Promise<Forgery> {
  const { id } = await api.post<{ id: string }>('/v1/services/shop/environments/dev/promotions', { digest });
  for (const started = Date.now(); ; ) {
    const promotion = await api.get<{ status: string; reason: string | null; endedAt: string | null }>(
      `/v1/promotions/${id}`,
    );
    if (promotion.endedAt !== null)
      return { name, digest, status: promotion.status, reason: promotion.reason ?? '' };
    if (Date.now() - started > 30_000) throw new Error(`the gate did not answer on the ${name} image`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
