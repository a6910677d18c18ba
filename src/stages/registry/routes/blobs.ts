import { type Digest, isDigest } from '../../../kernel/digest.ts';
import { watchAccess } from '../auth/watch.ts';
import { registryError } from '../errors.ts';
import { type Exchange, reply, requireAny } from '../exchange.ts';
import { isAnyDigest } from '../names.ts';
import { parseRange } from '../ranges.ts';
import { blobSize, deleteBlob } from '../store/blobs.ts';

interface BlobTarget {
  repository: string;
  digest: string;
}

/** `GET` and `HEAD /v2/<name>/blobs/<digest>`, with ranges. */
export async function getBlob(exchange: Exchange, target: BlobTarget): Promise<void> {
  const { deps, request } = exchange;
  requireAny(exchange, ['pull'], target.repository);
  const digest = wantDigest(target);
  const size = await soundSize(exchange, target.repository, digest);
  const etag = `"${digest}"`;
  const headers = { 'Docker-Content-Digest': digest, ETag: etag, 'Accept-Ranges': 'bytes' };
  if (request.headers['if-none-match']?.includes(etag)) return reply(exchange, 304, headers);
  const ifRange = request.headers['if-range'];
  const asked = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
  const answer = parseRange(asked, size);
  if (answer.kind === 'unsatisfiable') {
    exchange.response.setHeader('Content-Range', `bytes */${size}`);
    throw registryError('SIZE_INVALID', `the blob has ${size} bytes; the range lies beyond them`, {
      status: 416,
    });
  }
  const range = answer.kind === 'part' ? answer.range : undefined;
  const sent = {
    ...headers,
    'Content-Type': 'application/octet-stream',
    'Content-Length': range ? range.end - range.start + 1 : size,
    ...(range ? { 'Content-Range': `bytes ${range.start}-${range.end}/${size}` } : {}),
  };
  const status = range ? 206 : 200;
  if (request.method === 'HEAD') return reply(exchange, status, sent);
  exchange.response.writeHead(status, sent);
  const unwatch = watchAccess(exchange, ['pull'], target.repository);
  try {
    // A client that leaves, or bytes that cannot be read, end the connection: the length was stated, so it shows.
    await deps.blobs.send(digest, exchange.response, range);
    exchange.response.end();
  } finally {
    unwatch();
  }
}

/** `DELETE /v2/<name>/blobs/<digest>`. A blob that a manifest needs is kept: what was taken as whole stays whole. */
export async function removeBlob(exchange: Exchange, target: BlobTarget): Promise<void> {
  const { database, blobs } = exchange.deps;
  requireAny(exchange, ['delete'], target.repository);
  const digest = wantDigest(target);
  const outcome = await deleteBlob(database, blobs, target.repository, digest);
  if (outcome.kind === 'absent') throw blobUnknown(digest);
  if (outcome.kind === 'referenced') {
    throw registryError(
      'UNSUPPORTED',
      `the manifest ${outcome.referencedBy} needs ${digest}; delete the manifest first`,
    );
  }
  reply(exchange, 202, { 'Docker-Content-Digest': digest });
}

/** Size by the rows, if the file agrees; a blob whose file is lost or cut counts as absent, so that clients push it again. */
async function soundSize(exchange: Exchange, repository: string, digest: Digest): Promise<number> {
  const { database, blobs, log } = exchange.deps;
  const size = await blobSize(database, repository, digest);
  if (size === null) throw blobUnknown(digest);
  const actual = await blobs.stat(digest);
  if (actual === size) return size;
  log.error({ digest, size, actual }, 'a blob is not in the store as it was acknowledged');
  throw blobUnknown(digest);
}

function wantDigest({ digest }: BlobTarget): Digest {
  if (isDigest(digest)) return digest;
  if (isAnyDigest(digest)) throw blobUnknown(digest);
  throw registryError('DIGEST_INVALID', 'that is not a digest');
}

function blobUnknown(digest: string) {
  return registryError('BLOB_UNKNOWN', `the repository has no blob ${digest}`);
}
