import type { Digest } from '../../../kernel/digest.ts';
import { type Database, json, type Transaction } from '../../../platform/postgres/database.ts';
import { registryError } from '../errors.ts';
import type { ManifestFacts } from '../manifest.ts';
import { decideTag } from '../plan.ts';
import { lockForPush } from './locks.ts';

export interface ManifestPush {
  repository: string;
  digest: Digest;
  bytes: Buffer;
  facts: ManifestFacts;
  /** Sorted, so that two pushes of the same tags wait for each other instead of deadlocking. */
  tags: readonly string[];
  actor: string;
  nowMs: number;
  mutable(tag: string): boolean;
  /** Whether the caller may move this tag. */
  mayMove(tag: string): boolean;
}

/** Stores the manifest and sets its tags, all or nothing. */
export function pushManifest(database: Database, push: ManifestPush): Promise<void> {
  return database.transaction(async (tx) => {
    await lockForPush(tx, push.repository);
    await requireReferences(tx, push.repository, push.facts);
    await tx.query(
      `insert into registry_manifests
         (repository, digest, media_type, content, artifact_type, subject, annotations, pushed_by, pushed_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
      [
        push.repository,
        push.digest,
        push.facts.mediaType,
        push.bytes,
        push.facts.artifactType,
        push.facts.subject,
        json(push.facts.annotations),
        push.actor,
        new Date(push.nowMs),
      ],
    );
    for (const tag of push.tags) await setTag(tx, push, tag);
  });
}

/** Everything a manifest names must be in the repository, in the size it states. */
async function requireReferences(tx: Transaction, repository: string, facts: ManifestFacts): Promise<void> {
  const digests = [...new Set(facts.references.map((reference) => reference.digest))];
  if (digests.length === 0) return;
  const rows = await tx.query<{ digest: string; size: number }>(
    `select digest, size_bytes as size from registry_repository_blobs join registry_blobs using (digest)
       where repository = $1 and digest = any($2)
     union all
     select digest, octet_length(content)::bigint from registry_manifests
       where $3 and repository = $1 and digest = any($2)`,
    [repository, digests, facts.kind === 'index'],
  );
  const sizes = new Map(rows.map((row) => [row.digest, row.size]));
  for (const { digest, size } of facts.references) {
    const actual = sizes.get(digest);
    if (actual === undefined) {
      throw registryError(
        'MANIFEST_BLOB_UNKNOWN',
        `the repository has no ${digest}, which the manifest names`,
        {
          detail: { digest },
        },
      );
    }
    if (actual !== size) {
      throw registryError(
        'MANIFEST_INVALID',
        `${digest} has ${actual} bytes, not ${size} as the manifest says`,
      );
    }
  }
}

/**
 * Points a tag at the manifest. Of two pushes of one new tag the second waits here for the first (unique key), then meets
 * its digest: exactly one of two digests wins.
 */
async function setTag(tx: Transaction, push: ManifestPush, tag: string): Promise<void> {
  const { repository, digest, actor } = push;
  const at = new Date(push.nowMs);
  const created = await tx.query(
    `insert into registry_tags (repository, tag, digest, updated_by, updated_at) values ($1, $2, $3, $4, $5)
     on conflict do nothing returning tag`,
    [repository, tag, digest, actor, at],
  );
  if (created.length > 0) return;
  // Deletes wait for the lock of the repository, so the tag is there.
  const rows = await tx.query<{ digest: Digest }>(
    'select digest from registry_tags where repository = $1 and tag = $2 for update',
    [repository, tag],
  );
  const current = rows[0]?.digest ?? null;
  const decision = decideTag(current, digest, push.mutable(tag));
  if (decision === 'same') return;
  if (decision === 'refuse') {
    throw registryError(
      'DENIED',
      `the tag ${tag} of ${repository} is immutable and names ${current}; push a new tag instead`,
      {
        code: 'tag_immutable',
        detail: { tag },
      },
    );
  }
  if (!push.mayMove(tag)) throw registryError('DENIED', `you may not move the tag ${tag} of ${repository}`);
  await tx.query(
    'update registry_tags set digest = $3, updated_by = $4, updated_at = $5 where repository = $1 and tag = $2',
    [repository, tag, digest, actor, at],
  );
}
