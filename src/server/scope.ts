import type { Database } from '../platform/postgres/database.ts';
import type { Scope } from '../support/access/authorize.ts';

/** Where the service and environment of a thing stand, by the name its id has in a path. */
const OWNERS: Readonly<Record<string, string>> = {
  promotion: 'select service, environment from promotions where id = $1',
  rollout: 'select service, environment from rollouts where id = $1',
  decision: 'select service, environment from decisions where id = $1',
  release: 'select service from releases where id = $1',
  build: 'select service from builds where id = $1',
  digest: 'select service from artifacts where digest = $1',
};

/**
 * What a request is about: named in its path, or owned by the thing whose id is. An unknown id is about everything, so
 * that only who may do it everywhere learns that it does not exist; to others it looks like what is not theirs.
 */
export async function scopeOf(database: Database, params: unknown): Promise<Scope> {
  const { service, environment, ...rest } = (params ?? {}) as Record<string, string>;
  if (service !== undefined) return { service, ...(environment === undefined ? {} : { environment }) };
  for (const [name, id] of Object.entries(rest)) {
    const sql = OWNERS[name];
    if (sql === undefined) continue;
    const [owner] = await database.query<{ service: string; environment?: string }>(sql, [id]);
    return owner ?? {};
  }
  return {};
}
