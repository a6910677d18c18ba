import type { Database } from '../../../platform/postgres/database.ts';

/**
 * One read with a named prepared statement: parsed and planned once a connection. Anything that goes wrong is tried once
 * more the plain way, which takes another connection and gives errors as the rest of the program knows them.
 */
export async function readPrepared<Row>(
  database: Database,
  name: string,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  try {
    const result = await database.pool.query({ name, text, values: [...values] });
    return result.rows as Row[];
  } catch {
    return database.query<Row>(text, values);
  }
}
