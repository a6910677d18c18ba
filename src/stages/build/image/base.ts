import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Digest, isDigest } from '../../../kernel/digest.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { type Descriptor, MEDIA, type RegistryClient } from '../../../platform/oci/types.ts';
import { layoutBlob } from './layout.ts';
import type { BaseImage } from './manifest.ts';

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
const MAX_LAYERS = 127;
const LAYER_TYPES =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar\.gzip)$/;

/** `repository@sha256:…`, the only form a base may have: a tag can change under a build. */
export function parseBase(base: string): { repository: string; digest: Digest } {
  const at = base.lastIndexOf('@');
  const digest = base.slice(at + 1);
  if (at <= 0 || !isDigest(digest)) {
    throw new SlipwayError(
      'invalid_config',
      `the base image ${JSON.stringify(base.slice(0, 160))} is not pinned by digest`,
      {
        hint: 'write scratch, or repository@sha256:…',
      },
    );
  }
  // `repository:tag@digest` is common; the digest alone decides.
  return { repository: base.slice(0, at).replace(/:[^/:]*$/, ''), digest };
}

/** Reads a base image and checks that it is whole and fits this machine: platform, layer types, as many diff ids as layers. */
export async function resolveBase(
  client: RegistryClient,
  base: string,
  architecture: string,
): Promise<BaseImage> {
  const { repository, digest } = parseBase(base);
  const manifest = await readManifest(client, repository, digest, architecture);
  const layers = manifest.layers as Descriptor[] | undefined;
  const config = manifest.config as Descriptor | undefined;
  if (!config || !Array.isArray(layers) || layers.length > MAX_LAYERS)
    throw unfit(base, 'has no usable manifest');
  for (const layer of layers) {
    if (!isDigest(layer.digest) || !LAYER_TYPES.test(layer.mediaType))
      throw unfit(base, `has a ${layer.mediaType} layer`);
    if (!(await client.hasBlob(repository, layer.digest))) {
      throw new SlipwayError('image_missing', `the base image ${base} lacks its layer ${layer.digest}`);
    }
  }
  const bytes = await client.getBlob(repository, config.digest, MAX_CONFIG_BYTES);
  const image = parseObject(bytes, base);
  if (image.os !== 'linux' || image.architecture !== architecture) {
    throw unfit(base, `is for ${String(image.os)}/${String(image.architecture)}, not linux/${architecture}`);
  }
  const diffIds = ((image.rootfs as { diff_ids?: unknown })?.diff_ids ?? []) as Digest[];
  if (!Array.isArray(diffIds) || diffIds.length !== layers.length)
    throw unfit(base, 'names other layers than it has');
  const run = (image.config ?? {}) as { Env?: string[]; Labels?: Record<string, string> };
  return {
    name: repository,
    digest,
    layers: layers.map(({ mediaType, digest: layer, size }) => ({ mediaType, digest: layer, size })),
    diffIds,
    history: Array.isArray(image.history) ? (image.history as Record<string, unknown>[]) : [],
    env: run.Env ?? [],
    labels: run.Labels ?? {},
  };
}

async function readManifest(
  client: RegistryClient,
  repository: string,
  digest: Digest,
  architecture: string,
) {
  const stored = await client.getManifest(repository, digest);
  const document = parseObject(stored.bytes, repository);
  if (stored.mediaType !== MEDIA.imageIndex && !Array.isArray(document.manifests)) return document;
  const choices = (document.manifests ?? []) as (Descriptor & {
    platform?: { os?: string; architecture?: string };
  })[];
  const fit = choices.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (!fit) throw unfit(`${repository}@${digest}`, `has no image for linux/${architecture}`);
  return parseObject((await client.getManifest(repository, fit.digest)).bytes, repository);
}

/** Puts the base's layers into the layout, so that it is whole and can be pushed anywhere; each is checked on the way. */
export async function copyBaseLayers(client: RegistryClient, base: BaseImage, layout: string): Promise<void> {
  for (const { digest } of base.layers) {
    const path = layoutBlob(layout, digest);
    await pipeline(await client.openBlob(base.name, digest), createWriteStream(`${path}.partial`));
    await rename(`${path}.partial`, path);
  }
}

function parseObject(bytes: Buffer, what: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw unfit(what, 'is not JSON');
}

function unfit(base: string, why: string): SlipwayError {
  return new SlipwayError('invalid_config', `the base image ${base} ${why}`, {
    hint: 'choose another base image, or scratch',
  });
}
