import { type Digest, isDigest } from '../../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { failureOf } from './failure.ts';
import type { Remote } from './remote.ts';
import { drop, readAnswer } from './transport.ts';
import { type Descriptor, MEDIA, type StoredManifest } from './types.ts';

const PAGE_BYTES_MAX = 8 * 1024 * 1024;
const PAGES_MAX = 100;
const REFERRERS_MAX = 10_000;

type GetManifest = (remote: Remote, repository: string, reference: string) => Promise<StoredManifest>;

export interface ReferrersQuery {
  repository: string;
  digest: Digest;
  artifactType: string | undefined;
  getManifest: GetManifest;
}

/** By the referrers API, page by page; where the registry has none, by the index under the tag of the tag schema. */
export async function readReferrers(remote: Remote, query: ReferrersQuery): Promise<Descriptor[]> {
  const { repository, digest, artifactType } = query;
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  let url: string | URL = `/v2/${repository}/referrers/${digest}${filter}`;
  const found: Descriptor[] = [];
  for (let pages = 0; pages < PAGES_MAX && found.length < REFERRERS_MAX; pages++) {
    const answer = await remote.send(repository, {
      method: 'GET',
      url,
      headers: { Accept: MEDIA.imageIndex },
    });
    if (answer.status === 404 && pages === 0) {
      drop(answer);
      return matching(await readFallback(remote, query), artifactType);
    }
    if (answer.status !== 200) throw await failureOf(answer, `list the referrers of ${digest}`);
    found.push(...parseIndex(await readAnswer(answer, PAGE_BYTES_MAX), answer.url));
    const next = nextLink(answer.headers.link);
    if (next === null) return matching(found, artifactType);
    url = remote.resolve(next);
  }
  throw new SlipwayError('payload_too_large', `${digest} has more than ${REFERRERS_MAX} referrers`);
}

/** The registry may not have filtered. */
function matching(descriptors: Descriptor[], artifactType: string | undefined): Descriptor[] {
  return artifactType === undefined
    ? descriptors
    : descriptors.filter((entry) => entry.artifactType === artifactType);
}

async function readFallback(
  remote: Remote,
  query: Pick<ReferrersQuery, 'repository' | 'digest' | 'getManifest'>,
) {
  try {
    const index = await query.getManifest(remote, query.repository, fallbackTag(query.digest));
    return parseIndex(index.bytes, remote.resolve('/'));
  } catch (error) {
    if (isSlipwayError(error) && error.code === 'image_missing') return [];
    throw error;
  }
}

/** `sha256-<hex>`, cut to 64 characters of the hex (OCI distribution 1.1, "Referrers Tag Schema"). */
function fallbackTag(digest: string): string {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}

function parseIndex(bytes: Buffer, url: URL): Descriptor[] {
  try {
    const { manifests } = JSON.parse(bytes.toString('utf8')) as { manifests?: Descriptor[] | null };
    const entries = manifests ?? [];
    const sound = entries.every(
      (e) => isDigest(e.digest) && typeof e.mediaType === 'string' && Number.isSafeInteger(e.size),
    );
    if (sound) return entries;
  } catch {
    // said below
  }
  throw new SlipwayError('invalid_input', `the registry ${url.host} gave an index of referrers that is none`);
}

function nextLink(header: string | string[] | undefined): string | null {
  const match = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(
    Array.isArray(header) ? header.join(', ') : (header ?? ''),
  );
  return match?.[1] ?? null;
}

export interface FallbackEntry {
  repository: string;
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
  getManifest: GetManifest;
  putManifest(
    remote: Remote,
    push: { repository: string; reference: string; mediaType: string; bytes: Buffer },
  ): Promise<Digest>;
}

/** After a push to a registry without the referrers API: notes the manifest in the index under its subject's tag. */
export async function addToFallback(remote: Remote, entry: FallbackEntry): Promise<void> {
  const manifest = JSON.parse(entry.bytes.toString('utf8')) as {
    subject?: { digest?: string };
    artifactType?: string;
    config?: { mediaType?: string };
    annotations?: Record<string, string>;
  };
  const subject = manifest.subject?.digest;
  if (subject === undefined || !isDigest(subject)) return;
  const known = await readFallback(remote, { ...entry, digest: subject });
  if (known.some((descriptor) => descriptor.digest === entry.digest)) return;
  const artifactType = manifest.artifactType || manifest.config?.mediaType;
  const descriptor: Descriptor = {
    mediaType: entry.mediaType,
    digest: entry.digest,
    size: entry.bytes.length,
    ...(artifactType ? { artifactType } : {}),
    ...(manifest.annotations ? { annotations: manifest.annotations } : {}),
  };
  const index = { schemaVersion: 2, mediaType: MEDIA.imageIndex, manifests: [...known, descriptor] };
  await entry.putManifest(remote, {
    repository: entry.repository,
    reference: fallbackTag(subject),
    mediaType: MEDIA.imageIndex,
    bytes: Buffer.from(JSON.stringify(index)),
  });
}
