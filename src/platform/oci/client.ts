import { pipeline, type Readable } from 'node:stream';
import { type Digest, isDigest, sha256 } from '../../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { sleep } from '../clock.ts';
import { checkedStream, digestLike } from './checked.ts';
import { failureOf } from './failure.ts';
import { addToFallback, readReferrers } from './referrers.ts';
import { createRemote, type RegistryClientOptions, type Remote } from './remote.ts';
import { type Answer, drop, readAnswer, unreachable } from './transport.ts';
import { MEDIA, type RegistryClient, type StoredManifest } from './types.ts';
import { uploadBlob } from './upload.ts';

/** No registry takes larger manifests by the specification (4 MiB), some do. */
const MANIFEST_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_DELAYS_MS = [250, 1_000];
const ACCEPT = [
  MEDIA.imageManifest,
  MEDIA.imageIndex,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  '*/*;q=0.1',
].join(', ');

/** See `RegistryClient`. What is `unreachable` is tried three times before it is said. */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const remote = createRemote(options);
  return {
    hasBlob: (repository, digest) => retried(() => hasBlob(remote, repository, digest)),
    putBlob: (repository, digest, content) =>
      retried(async () => {
        if (await hasBlob(remote, repository, digest)) return;
        await uploadBlob(remote, { repository, digest, content, chunkBytes: options.chunkBytes });
      }),
    openBlob: (repository, digest) => retried(() => openBlob(remote, repository, digest)),
    getBlob: (repository, digest, maxBytes) => retried(() => getBlob(remote, repository, digest, maxBytes)),
    putManifest: (repository, reference, mediaType, bytes) =>
      retried(() => putManifest(remote, { repository, reference, mediaType, bytes })),
    getManifest: (repository, reference) => retried(() => getManifest(remote, repository, reference)),
    referrers: (repository, digest, artifactType) =>
      retried(() => readReferrers(remote, { repository, digest, artifactType, getManifest })),
  };
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (const delay of RETRY_DELAYS_MS) {
    try {
      return await work();
    } catch (error) {
      if (!isSlipwayError(error) || error.code !== 'unreachable') throw error;
      await sleep(delay);
    }
  }
  return work();
}

async function hasBlob(remote: Remote, repository: string, digest: Digest): Promise<boolean> {
  const answer = await remote.send(repository, { method: 'HEAD', url: `/v2/${repository}/blobs/${digest}` });
  if (answer.status === 404) {
    drop(answer);
    return false;
  }
  if (answer.status !== 200) throw await failureOf(answer, `say whether it has ${digest}`);
  drop(answer);
  return true;
}

async function openBlob(remote: Remote, repository: string, digest: Digest): Promise<Readable> {
  const answer = await remote.send(repository, { method: 'GET', url: `/v2/${repository}/blobs/${digest}` });
  if (answer.status !== 200) throw await failureOf(answer, `give ${digest}`);
  const checked = checkedStream(digest);
  answer.body.once('error', (error) => checked.destroy(unreachable(answer.url, error)));
  return pipeline(answer.body, checked, () => {});
}

async function getBlob(
  remote: Remote,
  repository: string,
  digest: Digest,
  maxBytes: number,
): Promise<Buffer> {
  const answer = await remote.send(repository, { method: 'GET', url: `/v2/${repository}/blobs/${digest}` });
  if (answer.status !== 200) throw await failureOf(answer, `give ${digest}`);
  const bytes = await readAnswer(answer, maxBytes);
  requireDigest(digest, bytes, answer.url);
  return bytes;
}

async function getManifest(remote: Remote, repository: string, reference: string): Promise<StoredManifest> {
  const answer = await remote.send(repository, {
    method: 'GET',
    url: `/v2/${repository}/manifests/${reference}`,
    headers: { Accept: ACCEPT },
  });
  if (answer.status !== 200) throw await failureOf(answer, `give ${repository}:${reference}`);
  const bytes = await readAnswer(answer, MANIFEST_BYTES_MAX);
  const stated = String(answer.headers['docker-content-digest'] ?? '');
  const digest = isDigest(reference) ? reference : isDigest(stated) ? stated : sha256(bytes);
  requireDigest(digest, bytes, answer.url);
  return { mediaType: mediaTypeOf(answer, bytes), digest, bytes };
}

interface ManifestPush {
  repository: string;
  reference: string;
  mediaType: string;
  bytes: Buffer;
}

async function putManifest(remote: Remote, push: ManifestPush): Promise<Digest> {
  const { repository, reference, mediaType, bytes } = push;
  if (isDigest(reference) && digestLike(reference, bytes) !== reference) {
    throw new SlipwayError(
      'digest_mismatch',
      `the manifest is ${digestLike(reference, bytes)}, not ${reference}`,
    );
  }
  const answer = await remote.send(repository, {
    method: 'PUT',
    url: `/v2/${repository}/manifests/${reference}`,
    headers: { 'Content-Type': mediaType },
    body: bytes,
  });
  if (answer.status !== 201) throw await failureOf(answer, `take ${repository}:${reference}`);
  drop(answer);
  const stated = String(answer.headers['docker-content-digest'] ?? '');
  if (isDigest(stated)) requireDigest(stated, bytes, answer.url);
  const digest = isDigest(reference) ? reference : sha256(bytes);
  if (answer.headers['oci-subject'] === undefined) {
    await addToFallback(remote, { repository, digest, mediaType, bytes, getManifest, putManifest });
  }
  return digest;
}

/** The document's own statement, which the digest covers, before the header's, which nothing does. */
function mediaTypeOf(answer: Answer, bytes: Buffer): string {
  const header = String(answer.headers['content-type'] ?? '')
    .split(';', 1)[0]!
    .trim();
  try {
    const { mediaType } = JSON.parse(bytes.toString('utf8')) as { mediaType?: unknown };
    return typeof mediaType === 'string' && mediaType !== '' ? mediaType : header;
  } catch {
    return header;
  }
}

function requireDigest(digest: Digest, bytes: Buffer, url: URL): void {
  const actual = digestLike(digest, bytes);
  if (actual === digest) return;
  throw new SlipwayError('digest_mismatch', `${url.host} gave ${actual} where ${digest} was asked`, {
    facts: { digest, actual },
  });
}
