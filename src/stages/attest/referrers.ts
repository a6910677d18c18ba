import { canonicalJson } from '../../kernel/canonical.ts';
import { type Digest, isDigest, sha256 } from '../../kernel/digest.ts';
import { isSlipwayError } from '../../kernel/errors.ts';
import { type Descriptor, MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { isRecord, parseJson } from './json.ts';

const EMPTY_CONFIG = Buffer.from('{}');
const MAX_MANIFEST_BYTES = 256 * 1024;
/** SBOMs of large services have a few MiB. */
export const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;

/** The manifest that attaches a bundle to an artifact, as cosign 3 writes it. Same bundle and time, same bytes. */
export function referrerManifest(input: {
  subject: Descriptor;
  bundle: Uint8Array;
  predicateType: string;
  createdMs: number;
}): Buffer {
  const { subject, bundle, predicateType, createdMs } = input;
  return Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: MEDIA.imageManifest,
      artifactType: MEDIA.sigstoreBundle,
      config: { mediaType: MEDIA.empty, digest: sha256(EMPTY_CONFIG), size: EMPTY_CONFIG.length },
      layers: [{ mediaType: MEDIA.sigstoreBundle, digest: sha256(bundle), size: bundle.length }],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': predicateType,
        'org.opencontainers.image.created': new Date(createdMs).toISOString(),
      },
    }),
  );
}

/** Pushes config, bundle and manifest, in that order; each again changes nothing. Returns the manifest's digest. */
export async function pushReferrer(
  registry: RegistryClient,
  repository: string,
  bundle: Buffer,
  manifest: Buffer,
): Promise<Digest> {
  await registry.putBlob(repository, sha256(EMPTY_CONFIG), EMPTY_CONFIG);
  await registry.putBlob(repository, sha256(bundle), bundle);
  return await registry.putManifest(repository, sha256(manifest), MEDIA.imageManifest, manifest);
}

export interface Referrer {
  digest: Digest;
  /** The bundle's bytes; a string says why there are none. */
  bundle: Buffer | string;
}

/**
 * Reads one referrer. The manifest decides what it is, never the descriptor that led here: in an index under a fallback
 * tag anybody's words stand. Content that does not fit is said, not thrown; an unreachable registry throws.
 */
export async function readReferrer(
  registry: RegistryClient,
  repository: string,
  descriptor: Descriptor,
  subject: Digest,
): Promise<Referrer> {
  const { digest } = descriptor;
  try {
    const { bytes } = await registry.getManifest(repository, digest);
    const layer = bundleLayer(bytes, subject);
    if (typeof layer === 'string') return { digest, bundle: layer };
    return { digest, bundle: await registry.getBlob(repository, layer.digest, MAX_BUNDLE_BYTES) };
  } catch (error) {
    return { digest, bundle: contentProblem(error) };
  }
}

/** Retryable errors say nothing about the content and are thrown on. */
export function contentProblem(error: unknown): string {
  if (isSlipwayError(error) && !error.retryable) return `the registry does not give it: ${error.message}`;
  throw error;
}

function bundleLayer(bytes: Buffer, subject: Digest): { digest: Digest } | string {
  if (bytes.length > MAX_MANIFEST_BYTES) return 'its manifest is too large';
  const manifest = parseJson(bytes);
  if (!isRecord(manifest)) return 'its manifest is not a JSON object';
  if (!isRecord(manifest.subject) || manifest.subject.digest !== subject)
    return 'its manifest refers to another artifact';
  const layers = Array.isArray(manifest.layers) ? (manifest.layers as unknown[]) : [];
  const [layer] = layers;
  if (layers.length !== 1 || !isRecord(layer) || layer.mediaType !== MEDIA.sigstoreBundle)
    return 'it carries no sigstore bundle';
  const { digest, size } = layer;
  if (typeof digest !== 'string' || !isDigest(digest)) return 'its bundle has no digest';
  if (typeof size !== 'number' || !(size <= MAX_BUNDLE_BYTES)) return 'its bundle is too large';
  return { digest };
}
