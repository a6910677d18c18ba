import { pipeline, Readable } from 'node:stream';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { checkedStream, digestLike } from './checked.ts';
import { failureOf } from './failure.ts';
import type { Remote } from './remote.ts';
import { type Answer, drop } from './transport.ts';

type Content = Buffer | { open(): Readable; size: number };

export interface BlobUpload {
  repository: string;
  digest: Digest;
  content: Content;
  chunkBytes: number | undefined;
}

/** Uploads a blob: begin, then all of it in one PUT, or in PATCHes of `chunkBytes`. The bytes are checked on their way out. */
export async function uploadBlob(remote: Remote, upload: BlobUpload): Promise<void> {
  const { repository, digest, content } = upload;
  if (Buffer.isBuffer(content) && digestLike(digest, content) !== digest) {
    throw new SlipwayError('digest_mismatch', `the bytes are ${digestLike(digest, content)}, not ${digest}`);
  }
  const begun = await remote.send(repository, { method: 'POST', url: `/v2/${repository}/blobs/uploads/` });
  if (begun.status !== 202) throw await failureOf(begun, `begin the upload of ${digest}`);
  let location = locationOf(remote, begun);
  if (upload.chunkBytes !== undefined) {
    location = await sendChunks(remote, upload, location, upload.chunkBytes);
    return finish(remote, upload, location, undefined);
  }
  return finish(remote, upload, location, Buffer.isBuffer(content) ? content : checked(content, digest));
}

async function finish(
  remote: Remote,
  upload: BlobUpload,
  location: URL,
  body: Content | undefined,
): Promise<void> {
  location.searchParams.set('digest', upload.digest);
  const answer = await remote.send(upload.repository, {
    method: 'PUT',
    url: location,
    headers: { 'Content-Type': 'application/octet-stream' },
    body: body ?? Buffer.alloc(0),
  });
  if (answer.status !== 201) throw await failureOf(answer, `take ${upload.digest}`);
  drop(answer);
}

async function sendChunks(remote: Remote, upload: BlobUpload, begun: URL, chunkBytes: number): Promise<URL> {
  const { content, digest, repository } = upload;
  const source = Buffer.isBuffer(content) ? Readable.from([content]) : checked(content, digest).open();
  let location = begun;
  let offset = 0;
  for await (const chunk of inChunks(source, chunkBytes)) {
    const answer = await remote.send(repository, {
      method: 'PATCH',
      url: location,
      headers: {
        'Content-Type': 'application/octet-stream',
        'Content-Range': `${offset}-${offset + chunk.length - 1}`,
      },
      body: chunk,
    });
    if (answer.status !== 202) throw await failureOf(answer, `take a chunk of ${digest}`);
    location = locationOf(remote, answer);
    offset += chunk.length;
  }
  return location;
}

/** Buffers of exactly `size` bytes, the last one shorter. */
async function* inChunks(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of source) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < size) continue;
    const all = Buffer.concat(held);
    let at = 0;
    for (; bytes - at >= size; at += size) yield all.subarray(at, at + size);
    held = at < all.length ? [all.subarray(at)] : [];
    bytes -= at;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

function checked(
  content: { open(): Readable; size: number },
  digest: Digest,
): { open(): Readable; size: number } {
  return {
    size: content.size,
    open: () => pipeline(content.open(), checkedStream(digest, content.size), () => {}),
  };
}

function locationOf(remote: Remote, answer: Answer): URL {
  drop(answer);
  const { location } = answer.headers;
  if (location === undefined) {
    throw new SlipwayError('unreachable', `the registry ${answer.url.host} gave no place for the upload`);
  }
  return remote.resolve(location);
}
