import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { databaseSchema } from '../../script/lib/generate/database-schema.ts';
import { generatedFiles } from '../../script/lib/generate/files.ts';
import { testDatabase } from '../../src/platform/postgres/testing.ts';
import { ROOT } from './source.ts';

test('generated files are what the source gives: migrations/schema.sql, schemas/, API types', async (t) => {
  for (const [path, content] of await generatedFiles())
    await t.test(path, () => {
      const committed = readFileSync(join(ROOT, path), 'utf8');
      if (committed === content) return;
      const [is, wants] = [committed.split('\n'), content.split('\n')];
      const line = wants.findIndex((text, i) => text !== is[i]);
      assert.fail(
        `${path} is stale from line ${line + 1} on: "${is[line]}" should be "${wants[line]}"; run "npm run schemas"`,
      );
    });
});

test('the dump of the database sees every kind of change', async () => {
  const { database, close } = await testDatabase();
  try {
    const before = await databaseSchema(database);
    for (const change of [
      'alter table settings add column extra text',
      "alter table settings alter column extra set default 'x'",
      'alter table settings alter column extra set not null',
      'alter table settings add constraint extra_is_short check (length(extra) < 9)',
      'create index settings_extra on settings (extra) where length(extra) > 1',
      'create view settings_seen as select key from settings',
      "create type mood as enum ('good', 'bad')",
      'create function seven() returns integer language sql as $$ select 7 $$',
      'create sequence counter',
    ]) {
      const last = await databaseSchema(database);
      await database.query(change);
      assert.notEqual(await databaseSchema(database), last, change);
    }
    assert.notEqual(await databaseSchema(database), before);
  } finally {
    await close();
  }
});
