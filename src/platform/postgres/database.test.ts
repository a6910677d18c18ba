import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isUniqueViolation } from './database.ts';
import { type TestDatabase, testDatabase } from './testing.ts';

let db: TestDatabase;
before(async () => {
  db = await testDatabase();
});
after(() => db.close());

test('a transaction that rejects leaves nothing behind', async () => {
  await assert.rejects(
    db.database.transaction(async (tx) => {
      await tx.query("insert into settings (key, value) values ('a', '1')");
      throw new Error('no');
    }),
    /no/,
  );
  assert.deepEqual(await db.database.query('select * from settings'), []);
});

test('a unique violation is told apart by its constraint', async () => {
  await db.database.query("insert into settings (key, value) values ('k', '1')");
  await assert.rejects(db.database.query("insert into settings (key, value) values ('k', '2')"), (error) => {
    assert.ok(isUniqueViolation(error, 'settings_pkey'));
    assert.ok(!isUniqueViolation(error, 'other'));
    return true;
  });
});

test('bigint columns come back as numbers', async () => {
  assert.deepEqual(await db.database.query('select 5000000000::bigint as n'), [{ n: 5_000_000_000 }]);
});
