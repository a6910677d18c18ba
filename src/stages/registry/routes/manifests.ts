import { type Digest, isDigest, sha256 } from '../../../kernel/digest.ts';
import { readBody } from '../body.ts';
import { digestOf } from '../digests.ts';
import { registryError } from '../errors.ts';
import { type Exchange, mayAny, reply, requireAny } from '../exchange.ts';
import { MANIFEST_BYTES_MAX, parseManifest } from '../manifest.ts';
import { isTag } from '../names.ts';
import { DEFAULT_MUTABLE_PREFIXES, isMutableTag, moveNeedsOverwrite, pushAction } from '../plan.ts';
import { deleteManifest, deleteTag } from '../store/deletes.ts';
import { readManifest } from '../store/manifests.ts';
import { pushManifest } from '../store/push.ts';

interface ManifestTarget {
  repository: string;
  reference: string;
}

/** Tags one push by digest may set with `?tag=`. */
const TAG_PARAMETERS_MAX = 64;

/** `GET` and `HEAD /v2/<name>/manifests/<reference>`: the bytes exactly as they were pushed. */
export async function getManifest(exchange: Exchange, target: ManifestTarget): Promise<void> {
  requireAny(exchange, ['pull'], target.repository);
  const manifest = isReference(target.reference)
    ? await readManifest(exchange.deps.database, exchange.cache, target.repository, target.reference)
    : null;
  if (!manifest) throw manifestUnknown(target);
  const etag = `"${manifest.digest}"`;
  const headers = { 'Docker-Content-Digest': manifest.digest, ETag: etag };
  if (exchange.request.headers['if-none-match']?.includes(etag)) return reply(exchange, 304, headers);
  reply(exchange, 200, { ...headers, 'Content-Type': manifest.mediaType }, manifest.bytes);
}

/** `PUT /v2/<name>/manifests/<reference>`; by digest also with `?tag=`, any number up to TAG_PARAMETERS_MAX. */
export async function putManifest(exchange: Exchange, target: ManifestTarget): Promise<void> {
  const { deps, request, principal } = exchange;
  const { repository, reference } = target;
  requireAny(exchange, ['create', 'attach'], repository);
  if (!isReference(reference))
    throw registryError('MANIFEST_INVALID', 'the reference is neither a tag nor a digest');
  const asked = tagParameters(exchange, reference);
  const bytes = await readBody(request, MANIFEST_BYTES_MAX);
  const digest = isDigest(reference) ? requireDigest(reference, bytes) : sha256(bytes);
  const contentType = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim();
  const facts = parseManifest(bytes, contentType);
  const tags = isDigest(reference) ? asked : [reference];
  requireAny(exchange, [pushAction(facts, tags)], repository);
  const prefixes = deps.mutablePrefixes ?? DEFAULT_MUTABLE_PREFIXES;
  await pushManifest(deps.database, {
    repository,
    digest,
    bytes,
    facts,
    tags: [...tags].sort(),
    actor: principal.actor,
    nowMs: deps.clock.nowMs(),
    mutable: (tag) => isMutableTag(repository, tag, prefixes),
    mayMove: (tag) => !moveNeedsOverwrite(tag) || mayAny(exchange, ['overwrite'], repository),
  });
  reply(exchange, 201, {
    Location: `/v2/${repository}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(facts.subject === null ? {} : { 'OCI-Subject': facts.subject }),
    ...(asked.length === 0 ? {} : { 'OCI-Tag': asked }),
  });
}

/** `DELETE`: a tag alone, or by digest the manifest with all its tags. */
export async function removeManifest(exchange: Exchange, target: ManifestTarget): Promise<void> {
  const { deps, principal } = exchange;
  const { repository, reference } = target;
  requireAny(exchange, ['delete'], repository);
  const deletion = { repository, actor: principal.actor, nowMs: deps.clock.nowMs(), append: deps.append };
  if (!isReference(reference)) throw manifestUnknown(target);
  if (!isDigest(reference)) {
    if (!(await deleteTag(deps.database, deletion, reference))) throw manifestUnknown(target);
    return reply(exchange, 202, {});
  }
  const outcome = await deleteManifest(deps.database, deletion, reference);
  if (outcome.kind === 'absent') throw manifestUnknown(target);
  if (outcome.kind === 'referenced') {
    throw registryError(
      'UNSUPPORTED',
      `the index ${outcome.referencedBy} needs ${reference}; delete the index first`,
    );
  }
  reply(exchange, 202, { 'Docker-Content-Digest': reference });
}

function isReference(reference: string): boolean {
  return isDigest(reference) || isTag(reference);
}

function tagParameters({ query }: Exchange, reference: string): string[] {
  const tags = [...new Set(query.getAll('tag'))];
  if (tags.length === 0 || !isDigest(reference)) return [];
  if (tags.length > TAG_PARAMETERS_MAX) {
    throw registryError('TOOMANYREQUESTS', `at most ${TAG_PARAMETERS_MAX} tags in one push`, { status: 414 });
  }
  if (!tags.every(isTag)) throw registryError('MANIFEST_INVALID', 'a tag parameter is not a tag');
  return tags;
}

function requireDigest(reference: Digest, bytes: Buffer): Digest {
  const actual = digestOf(reference, bytes);
  if (actual === reference) return reference;
  throw registryError('DIGEST_INVALID', `the manifest is ${actual}, not ${reference}`);
}

function manifestUnknown({ repository, reference }: ManifestTarget) {
  const shown = reference.length > 200 ? `${reference.slice(0, 200)}…` : reference;
  return registryError('MANIFEST_UNKNOWN', `${repository} has no manifest ${shown}`);
}
