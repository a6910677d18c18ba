import { MEDIA } from '../../../platform/oci/types.ts';
import { registryError } from '../errors.ts';
import { type Exchange, reply, requireAny } from '../exchange.ts';
import { isAnyDigest, isMediaType } from '../names.ts';
import { listReferrers, type ReferrersPage } from '../store/lists.ts';

/**
 * `GET /v2/<name>/referrers/<digest>?artifactType=`: an image index of what has the digest as its subject. A subject that is
 * not there, or not yet, has an empty list.
 */
export async function getReferrers(
  exchange: Exchange,
  target: { repository: string; digest: string },
): Promise<void> {
  const { repository, digest } = target;
  requireAny(exchange, ['pull'], repository);
  if (!isAnyDigest(digest)) throw registryError('DIGEST_INVALID', 'that is not a digest');
  const artifactType = exchange.query.get('artifactType') || null;
  const last = exchange.query.get('last') ?? '';
  const askable = (artifactType === null || isMediaType(artifactType)) && (last === '' || isAnyDigest(last));
  const page: ReferrersPage = askable
    ? await listReferrers(exchange.deps.database, { repository, subject: digest, artifactType, last })
    : { descriptors: [], next: null };
  const headers = {
    'Content-Type': MEDIA.imageIndex,
    ...(artifactType === null ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
    ...(page.next === null ? {} : { Link: nextPage(target, artifactType, page.next) }),
  };
  const index = { schemaVersion: 2, mediaType: MEDIA.imageIndex, manifests: page.descriptors };
  reply(exchange, 200, headers, JSON.stringify(index));
}

function nextPage(
  target: { repository: string; digest: string },
  artifactType: string | null,
  last: string,
): string {
  const filter = artifactType === null ? '' : `artifactType=${encodeURIComponent(artifactType)}&`;
  return `</v2/${target.repository}/referrers/${target.digest}?${filter}last=${encodeURIComponent(last)}>; rel="next"`;
}
