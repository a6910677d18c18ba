import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.ts';

/**
 * Applies `migrations/NNNN_*.sql` in order, each in its own transaction, under one advisory lock, so that many servers may
 * start at once. Returns the names applied now.
 */
export async function migrate(database: Database, directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort();
  await database.query(
    'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
  );
  const applied: string[] = [];
  for (const name of names) {
    const text = await readFile(join(directory, name), 'utf8');
    await database.transaction(async (tx) => {
      await tx.query('select pg_advisory_xact_lock(7220610)');
      const done = await tx.query('select 1 from migrations where name = $1', [name]);
      if (done.length > 0) return;
      await tx.query(text);
      await tx.query('insert into migrations (name) values ($1)', [name]);
      applied.push(name);
    });
  }
  return applied;
}
