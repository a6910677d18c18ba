import { canonicalJson } from '../../../kernel/canonical.ts';
import type { ImageConfig } from '../../../kernel/config.ts';
import { type Digest, sha256 } from '../../../kernel/digest.ts';
import { type Descriptor, MEDIA } from '../../../platform/oci/types.ts';

/** What the image says about itself; all of it follows from the commit. */
export interface ImageFacts {
  revision: string;
  source: string;
  version: string;
  /** Seconds since 1970. */
  createdS: number;
  architecture: string;
}

/** What is taken over from a base image: its layers, and the configuration that ours is laid over. */
export interface BaseImage {
  name: string;
  digest: Digest;
  layers: readonly Descriptor[];
  diffIds: readonly Digest[];
  history: readonly Record<string, unknown>[];
  env: readonly string[];
  labels: Readonly<Record<string, string>>;
}

export interface BuiltLayer {
  name: string;
  descriptor: Descriptor;
  diffId: Digest;
}

export interface ImageDocuments {
  config: { bytes: Buffer; descriptor: Descriptor };
  manifest: { bytes: Buffer; digest: Digest };
}

/** Configuration and manifest as canonical JSON: the same image gives the same bytes. */
export function imageDocuments(
  image: ImageConfig,
  layers: readonly BuiltLayer[],
  base: BaseImage | null,
  facts: ImageFacts,
): ImageDocuments {
  const created = `${new Date(facts.createdS * 1000).toISOString().slice(0, 19)}Z`;
  const history = layers.map(({ name }) => ({ created, created_by: `slipway layer ${name}` }));
  const config = {
    architecture: facts.architecture,
    os: 'linux',
    created,
    config: runConfig(image, base),
    rootfs: { type: 'layers', diff_ids: [...(base?.diffIds ?? []), ...layers.map(({ diffId }) => diffId)] },
    history: [...(base?.history ?? []), ...history],
  };
  const configBytes = Buffer.from(canonicalJson(config));
  const descriptor = { mediaType: MEDIA.imageConfig, digest: sha256(configBytes), size: configBytes.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.imageManifest,
    config: descriptor,
    layers: [...(base?.layers ?? []), ...layers.map((layer) => layer.descriptor)],
    annotations: {
      'org.opencontainers.image.created': created,
      'org.opencontainers.image.revision': facts.revision,
      'org.opencontainers.image.source': facts.source,
      'org.opencontainers.image.version': facts.version,
      ...(base
        ? {
            'org.opencontainers.image.base.digest': base.digest,
            'org.opencontainers.image.base.name': base.name,
          }
        : {}),
    },
  };
  const bytes = Buffer.from(canonicalJson(manifest));
  return { config: { bytes: configBytes, descriptor }, manifest: { bytes, digest: sha256(bytes) } };
}

function runConfig(image: ImageConfig, base: BaseImage | null): Record<string, unknown> {
  const env = new Map((base?.env ?? []).map((pair) => [pair.split('=')[0] ?? '', pair]));
  for (const [name, value] of Object.entries(image.env)) env.set(name, `${name}=${value}`);
  const labels = { ...base?.labels, ...image.labels };
  return {
    ...(image.user === '' ? {} : { User: image.user }),
    ...(image.ports.length === 0
      ? {}
      : { ExposedPorts: Object.fromEntries(image.ports.map((port) => [`${port}/tcp`, {}])) }),
    Env: [...env.values()].sort(),
    Entrypoint: image.entrypoint,
    ...(image.command.length === 0 ? {} : { Cmd: image.command }),
    WorkingDir: image.workdir || '/',
    ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
  };
}

/** The name OCI uses for this machine's processor. */
export function ociArchitecture(arch: string): string {
  return { x64: 'amd64', ia32: '386' }[arch] ?? arch;
}

/**
 * The repository's address without credentials: user names and passwords never enter an image. A path on this machine
 * stays as it is.
 */
export function sourceAnnotation(url: string): string {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)(?:[^/@]*@)?(.*)$/i.exec(url);
  const plain = match ? `${match[1]}${match[2]}` : url;
  return plain.replace(/[?#].*$/, '').slice(0, 2_048);
}
