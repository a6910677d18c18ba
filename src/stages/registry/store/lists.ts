import type { Descriptor } from '../../../platform/oci/types.ts';
import type { Database } from '../../../platform/postgres/database.ts';

/** True once anything was pushed there. */
export async function repositoryExists(database: Database, repository: string): Promise<boolean> {
  const rows = await database.query<{ found: boolean }>(
    `select exists (select 1 from registry_manifests where repository = $1)
         or exists (select 1 from registry_repository_blobs where repository = $1) as found`,
    [repository],
  );
  return rows[0]?.found ?? false;
}

/** Tags after `last` (exclusive) in ASCII order, at most `limit`. */
export async function listTags(
  database: Database,
  repository: string,
  last: string,
  limit: number,
): Promise<string[]> {
  const rows = await database.query<{ tag: string }>(
    `select tag from registry_tags where repository = $1 and tag collate "C" > $2
     order by tag collate "C" limit $3`,
    [repository, last, limit],
  );
  return rows.map((row) => row.tag);
}

/** Names of repositories after `last` (exclusive), at most `limit`. */
export async function listRepositories(database: Database, last: string, limit: number): Promise<string[]> {
  const rows = await database.query<{ repository: string }>(
    `select repository from registry_manifests where repository > $1
     union select repository from registry_repository_blobs where repository > $1
     order by repository limit $2`,
    [last, limit],
  );
  return rows.map((row) => row.repository);
}

/** Bytes of descriptors in one page of referrers: a manifest's annotations alone may be megabytes. */
const REFERRERS_PAGE_BYTES = 3 * 1024 * 1024;
const REFERRERS_PAGE_ROWS = 1000;

export interface ReferrersPage {
  descriptors: Descriptor[];
  /** Where the next page begins (exclusive), null at the end. */
  next: string | null;
}

/** Manifests of the repository whose subject is `subject`, by digest, after `last` (exclusive). */
export async function listReferrers(
  database: Database,
  query: { repository: string; subject: string; artifactType: string | null; last: string },
): Promise<ReferrersPage> {
  const rows = await database.query<Descriptor & { artifactType: string | null; fits: boolean }>(
    `select digest, media_type as "mediaType", octet_length(content) as size, artifact_type as "artifactType", annotations,
            row_number() over (order by digest) = 1
              or sum(octet_length(annotations::text) + 512) over (order by digest) <= ${REFERRERS_PAGE_BYTES} as fits
     from (select * from registry_manifests
           where repository = $1 and subject = $2 and digest > $3 and ($4::text is null or artifact_type = $4)
           order by digest limit ${REFERRERS_PAGE_ROWS + 1}) as found
     order by digest`,
    [query.repository, query.subject, query.last, query.artifactType],
  );
  const page = rows.slice(0, REFERRERS_PAGE_ROWS).filter((row) => row.fits);
  const descriptors = page.map(({ mediaType, digest, size, artifactType, annotations }) => ({
    mediaType,
    digest,
    size,
    ...(artifactType === null ? {} : { artifactType }),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
  }));
  return { descriptors, next: page.length < rows.length ? (page.at(-1)?.digest ?? null) : null };
}
