import { type Digest, isDigest } from '../../../kernel/digest.ts';
import { isSlipwayError, type SlipwayError } from '../../../kernel/errors.ts';
import { algorithmOf } from '../../../platform/blobs/verify.ts';
import { watchAccess } from '../auth/watch.ts';
import { BLOB_BYTES_MAX } from '../deps.ts';
import { registryError } from '../errors.ts';
import { type Exchange, mayAny, reply, requireAny } from '../exchange.ts';
import { isRepositoryName } from '../names.ts';
import type { RegistryAction } from '../plan.ts';
import { parseContentRange, uploadRange } from '../ranges.ts';
import { commitBlob, mountBlob } from '../store/blobs.ts';
import { forgetUpload, OPEN_UPLOADS_MAX, ownsUpload, recordUpload, touchUpload } from '../store/uploads.ts';

interface UploadTarget {
  repository: string;
  id: string;
}

/** The blobs of an attachment are pushed before its manifest says that it is one. */
const PUSH: readonly RegistryAction[] = ['create', 'attach'];
const ID_PATTERN = /^[0-9a-f]{32}$/;

/** `POST /v2/<name>/blobs/uploads/`: mounts a blob, takes one whole, or begins an upload. */
export async function startUpload(exchange: Exchange, { repository }: { repository: string }): Promise<void> {
  const { deps, query } = exchange;
  requireAny(exchange, PUSH, repository);
  if (await mount(exchange, repository)) return;
  const digest = query.get('digest');
  if (digest !== null && query.get('mount') === null)
    return takeWhole(exchange, repository, wantDigest(digest));
  const algorithm = query.get('digest-algorithm') ?? 'sha256';
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw registryError('DIGEST_INVALID', 'the digest algorithms are sha256 and sha512');
  }
  const id = await deps.blobs.createUpload(algorithm);
  const noted = await recordUpload(deps.database, {
    id,
    repository,
    actor: exchange.principal.actor,
    nowMs: exchange.nowMs,
  }).catch(async (error: unknown) => {
    await deps.blobs.cancel(id);
    throw error;
  });
  if (!noted) {
    await deps.blobs.cancel(id);
    throw registryError('TOOMANYREQUESTS', `you have ${OPEN_UPLOADS_MAX} uploads open; end some first`);
  }
  reply(exchange, 202, progress({ repository, id }, 0));
}

/** `PATCH`: the next bytes of an upload, in order. */
export async function appendUpload(exchange: Exchange, target: UploadTarget): Promise<void> {
  const { deps } = exchange;
  await requireUpload(exchange, target);
  const offset = await takeChunk(exchange, target);
  await touchUpload(deps.database, target.id, offset, deps.clock.nowMs());
  reply(exchange, 202, progress(target, offset));
}

/** `PUT …?digest=`: the last bytes, if any, and the end. An upload whose bytes are not that digest is over. */
export async function finishUpload(exchange: Exchange, target: UploadTarget): Promise<void> {
  const { deps, query } = exchange;
  await requireUpload(exchange, target);
  const digest = wantDigest(query.get('digest') ?? '');
  try {
    if (hasBody(exchange)) await takeChunk(exchange, target);
    await commitBlob(deps.database, deps.blobs, commitment(exchange, target, digest));
  } catch (error) {
    if (isSlipwayError(error) && (error.code === 'digest_mismatch' || error.code === 'disk_full')) {
      await deps.blobs.cancel(target.id);
      await forgetUpload(deps.database, target.id);
    }
    throw named(error, target);
  }
  replyCreated(exchange, target.repository, digest);
}

/** `GET …/uploads/<id>`: how far it is. */
export async function uploadStatus(exchange: Exchange, target: UploadTarget): Promise<void> {
  await requireUpload(exchange, target);
  const offset = await exchange.deps.blobs.uploadOffset(target.id);
  if (offset === null) throw uploadUnknown();
  reply(exchange, 204, progress(target, offset));
}

/** `DELETE …/uploads/<id>`. */
export async function cancelUpload(exchange: Exchange, target: UploadTarget): Promise<void> {
  await requireUpload(exchange, target);
  await forgetUpload(exchange.deps.database, target.id);
  if (!(await exchange.deps.blobs.cancel(target.id))) throw uploadUnknown();
  reply(exchange, 204, {});
}

/** `?mount=&from=`: true when it was answered. Where it cannot be, the caller gets an ordinary upload, as the spec has it. */
async function mount(exchange: Exchange, repository: string): Promise<boolean> {
  const { deps, query } = exchange;
  const [digest, from] = [query.get('mount'), query.get('from')];
  if (!digest || !isDigest(digest) || !from || !isRepositoryName(from)) return false;
  if (!mayAny(exchange, ['pull'], from)) return false;
  if ((await deps.blobs.stat(digest)) === null) return false;
  if (!(await mountBlob(deps.database, from, repository, digest))) return false;
  replyCreated(exchange, repository, digest);
  return true;
}

async function takeWhole(exchange: Exchange, repository: string, digest: Digest): Promise<void> {
  const { deps } = exchange;
  const target = { repository, id: await deps.blobs.createUpload(algorithmOf(digest)) };
  try {
    await takeChunk(exchange, target);
    await commitBlob(deps.database, deps.blobs, commitment(exchange, target, digest));
  } catch (error) {
    await deps.blobs.cancel(target.id);
    throw error;
  }
  replyCreated(exchange, repository, digest);
}

function commitment(exchange: Exchange, target: UploadTarget, digest: Digest) {
  return { uploadId: target.id, repository: target.repository, digest, nowMs: exchange.deps.clock.nowMs() };
}

/** Appends the request's body; returns the new offset. */
async function takeChunk(exchange: Exchange, target: UploadTarget): Promise<number> {
  const { deps, request } = exchange;
  const unwatch = watchAccess(exchange, PUSH, target.repository);
  try {
    return await deps.blobs.append(target.id, request, {
      ...chunkPlace(request.headers),
      maxBytes: deps.maxBlobBytes ?? BLOB_BYTES_MAX,
    });
  } catch (error) {
    if (isSlipwayError(error) && error.code === 'conflict') throw outOfOrder(exchange, target, error);
    throw named(error, target);
  } finally {
    unwatch();
  }
}

/** Offset and length of a chunk as its headers state them. */
function chunkPlace(headers: Exchange['request']['headers']): { offset?: number; length?: number } {
  const contentLength = headers['content-length'];
  const stated = headers['content-range'];
  if (stated === undefined) return contentLength === undefined ? {} : { length: Number(contentLength) };
  const range = parseContentRange(stated);
  if (!range) throw registryError('BLOB_UPLOAD_INVALID', 'Content-Range is not <first byte>-<last byte>');
  const length = range.end - range.start + 1;
  if (contentLength !== undefined && Number(contentLength) !== length) {
    throw registryError(
      'SIZE_INVALID',
      `Content-Length is ${contentLength}, Content-Range has ${length} bytes`,
    );
  }
  return { offset: range.start, length };
}

function outOfOrder(exchange: Exchange, target: UploadTarget, error: SlipwayError) {
  for (const [name, value] of Object.entries(progress(target, Number(error.facts.offset)))) {
    exchange.response.setHeader(name, value);
  }
  return registryError('BLOB_UPLOAD_INVALID', error.message, { status: 416 });
}

/** Errors of the store as the protocol names them. */
function named(error: unknown, { id }: UploadTarget): unknown {
  if (!isSlipwayError(error)) return error;
  if (error.code === 'not_found') return uploadUnknown();
  if (error.code === 'invalid_input') return registryError('SIZE_INVALID', error.message);
  if (error.code === 'cancelled') {
    return registryError('BLOB_UPLOAD_INVALID', error.message, {
      status: 408,
      code: 'cancelled',
      detail: { upload: id },
    });
  }
  return error;
}

async function requireUpload(exchange: Exchange, target: UploadTarget): Promise<void> {
  requireAny(exchange, PUSH, target.repository);
  const actor = exchange.principal.actor;
  const known =
    ID_PATTERN.test(target.id) && (await ownsUpload(exchange.deps.database, { ...target, actor }));
  if (!known) throw uploadUnknown();
}

function uploadUnknown() {
  return registryError('BLOB_UPLOAD_UNKNOWN', 'there is no such upload of yours; begin another');
}

function wantDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw registryError('DIGEST_INVALID', 'the digest must be sha256 or sha512, in lower-case hexadecimal');
}

function hasBody({ request }: Exchange): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}

/** Relative on purpose: a proxy in front needs no rewriting, and no Host header gets a say. */
function progress({ repository, id }: UploadTarget, offset: number): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: uploadRange(offset),
    'Docker-Upload-UUID': id,
  };
}

function replyCreated(exchange: Exchange, repository: string, digest: Digest): void {
  reply(exchange, 201, { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest });
}
