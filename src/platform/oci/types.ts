import type { Readable } from 'node:stream';
import type { Digest } from '../../kernel/digest.ts';

/** Media types of the OCI image and distribution specifications, 1.1. */
export const MEDIA = {
  imageManifest: 'application/vnd.oci.image.manifest.v1+json',
  imageIndex: 'application/vnd.oci.image.index.v1+json',
  imageConfig: 'application/vnd.oci.image.config.v1+json',
  layerTarGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerTarZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  empty: 'application/vnd.oci.empty.v1+json',
  sigstoreBundle: 'application/vnd.dev.sigstore.bundle.v0.3+json',
} as const;

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  annotations?: Readonly<Record<string, string>>;
  artifactType?: string;
}

export interface StoredManifest {
  mediaType: string;
  digest: Digest;
  /** Exactly as pushed. */
  bytes: Buffer;
}

/**
 * An OCI registry over HTTP: ours or any other. Every byte that comes back is checked against its digest; a mismatch is
 * `digest_mismatch`, an absent thing `image_missing`, a refusal `forbidden` or `tag_immutable`, no answer `unreachable`.
 */
export interface RegistryClient {
  hasBlob(repository: string, digest: Digest): Promise<boolean>;
  putBlob(
    repository: string,
    digest: Digest,
    content: Buffer | { open(): Readable; size: number },
  ): Promise<void>;
  /** The stream errors with `digest_mismatch` at its end when the bytes are not those. */
  openBlob(repository: string, digest: Digest): Promise<Readable>;
  /** For small blobs; `maxBytes` bounds it. */
  getBlob(repository: string, digest: Digest, maxBytes: number): Promise<Buffer>;
  putManifest(repository: string, reference: string, mediaType: string, bytes: Buffer): Promise<Digest>;
  /** By tag or digest. */
  getManifest(repository: string, reference: string): Promise<StoredManifest>;
  referrers(repository: string, digest: Digest, artifactType?: string): Promise<Descriptor[]>;
}
