import type { Transaction } from '../../../platform/postgres/database.ts';

// Order where both are taken: repository, then digest.
const REPOSITORY_SEED = 7220621;
const DIGEST_SEED = 7220622;

/** Pushes to a repository go side by side, but never beside a delete there: what a manifest names stays while it is pushed. */
export async function lockForPush(tx: Transaction, repository: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock_shared(hashtextextended($1, ${REPOSITORY_SEED}))`, [
    repository,
  ]);
}

export async function lockForDelete(tx: Transaction, repository: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended($1, ${REPOSITORY_SEED}))`, [repository]);
}

/** Held while a blob's file and its rows change together. */
export async function lockDigest(tx: Transaction, digest: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended($1, ${DIGEST_SEED}))`, [digest]);
}
