import { SlipwayError } from '../../../kernel/errors.ts';
import type { Database } from '../../../platform/postgres/database.ts';

/** First half of the advisory lock's key: the second is the hash of the build's id. */
const LOCK_CLASS = 0x62_75_69_6c;

/**
 * Holds a session lock on the build while `work` runs, so that two workers never run the same one. When the session dies so
 * does the lock: a crashed worker blocks nobody. Throws `conflict` when another holds it.
 */
export async function withBuildLock<Result>(
  database: Database,
  buildId: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const client = await database.pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => {
    broken = error;
  };
  client.on('error', onError);
  try {
    const { rows } = await client.query<{ locked: boolean }>(
      'select pg_try_advisory_lock($1, hashtext($2)) as locked',
      [LOCK_CLASS, buildId],
    );
    if (!rows[0]?.locked) throw new SlipwayError('conflict', `another worker runs build ${buildId}`);
    try {
      return await work();
    } finally {
      await client
        .query('select pg_advisory_unlock($1, hashtext($2))', [LOCK_CLASS, buildId])
        .catch((error: Error) => {
          broken ??= error;
        });
    }
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
