import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Transaction } from '../../../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../../../platform/postgres/testing.ts';
import { appendSignature } from '../append.ts';
import { signCheckpoint } from '../checkpoint.ts';
import { hashedrekordBody } from '../hashedrekord.ts';
import { leafHash } from '../merkle.ts';
import { sequenceOnce } from '../sequencer.ts';
import { appendSome, memoryHeads, testLog, tickingClock } from '../testing.ts';
import { verifyLedger } from './ledger.ts';
import type { LedgerReport } from './report.ts';

const signer = testLog();
const SIZE = 530;
let fresh: TestDatabase;
const heads = memoryHeads();

before(async () => {
  fresh = await testDatabase();
  const deps = { database: fresh.database, signer, clock: tickingClock(), heads };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
  let size = 0;
  for (const count of [1, 99, 156, 1, 200, 68]) {
    await appendSome(fresh.database, count, size);
    size += count;
    const signed = Buffer.from(`pae ${size}`);
    const signature = sign('sha256', signed, privateKey);
    const body = hashedrekordBody({ signedDigest: `sha256:${hash('sha256', signed)}`, signature, spkiDer });
    if (size > 500)
      for (let i = 0; i < 5; i++)
        await fresh.database.transaction((tx) => appendSignature(tx, { atMs: 0, body }));
    await sequenceOnce(deps);
  }
});
after(() => fresh.close());

class Undo extends Error {}

/** Verifies the log with a change made to it, then takes the change back. */
async function changed(
  change: (tx: Transaction) => Promise<unknown>,
  remembered: string | null = null,
): Promise<LedgerReport> {
  let report: LedgerReport | undefined;
  await fresh.database
    .transaction(async (tx) => {
      await change(tx);
      const inside = {
        ...fresh.database,
        transaction: (work: (tx: Transaction) => Promise<unknown>) => work(inTransaction(tx)),
      };
      report = await verifyLedger(inside as typeof fresh.database, signer, { remembered });
      throw new Undo();
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undo)) throw error;
    });
  return report as LedgerReport;
}

/** The isolation level can no longer be set; everything else runs inside the changing transaction. */
function inTransaction(tx: Transaction): Transaction {
  return {
    inTransaction: true,
    async query<Row>(text: string, values?: readonly unknown[]) {
      return text.startsWith('set transaction') ? [] : await tx.query<Row>(text, values);
    },
  };
}

const named = (report: LedgerReport) => report.problems.map(({ where, at }) => `${where} ${at}`);

test('an untouched log verifies, in any number of checkpoints', async () => {
  const report = await verifyLedger(fresh.database, signer, { remembered: heads.note });
  assert.deepEqual(report.problems, []);
  assert.ok(report.ok);
  assert.equal(report.size, SIZE);
  assert.equal(report.checkpoints, 6);
});

test('law: one flipped byte in a body, a leaf hash or a tile is named, and nothing else is', async () => {
  const flips = fc.record({
    place: fc.constantFrom('body', 'leaf_hash', 'tile'),
    index: fc.nat(SIZE - 1),
    position: fc.nat(10_000),
    mask: fc.integer({ min: 1, max: 255 }),
  });
  await fc.assert(
    fc.asyncProperty(flips, async ({ place, index, position, mask }) => {
      const report = await changed(async (tx) => {
        const tile = Math.floor(index / 256);
        const [table, column, key] =
          place === 'tile'
            ? ['ledger_tiles', 'hashes', `level = 0 and index = ${tile}`]
            : ['ledger_entries', place, `index = ${index}`];
        const [row] = await tx.query<{ bytes: Buffer }>(
          `select ${column} as bytes from ${table} where ${key}`,
        );
        const bytes = Buffer.from(row!.bytes);
        bytes[place === 'tile' ? (index % 256) * 32 + (position % 32) : position % bytes.length]! ^= mask;
        await tx.query(`update ${table} set ${column} = $1 where ${key}`, [bytes]);
      });
      assert.deepEqual(named(report), [
        place === 'tile' ? `tile 0/${Math.floor(index / 256)}` : `entry ${index}`,
      ]);
      assert.ok(!report.ok);
    }),
    { numRuns: 60 },
  );
});

test('law: a changed column is named with its entry', async () => {
  const columns = ['kind', 'service', 'environment', 'subject', 'actor', 'at', 'pending_id'];
  await fc.assert(
    fc.asyncProperty(fc.nat(SIZE - 1), fc.constantFrom(...columns), async (index, column) => {
      const value =
        { kind: "'gate.decided'", at: "at + interval '1 microsecond'", pending_id: 'pending_id - 700' }[
          column
        ] ?? "'x'";
      const report = await changed((tx) =>
        tx.query(`update ledger_entries set ${column} = ${value} where index = ${index}`),
      );
      assert.equal(named(report)[0], `entry ${index}`, column);
    }),
    { numRuns: 40 },
  );
});

test('a body rewritten together with its hash and every tile still differs from the signed root', async () => {
  const body = Buffer.from('{"forged":true}');
  const report = await changed(async (tx) => {
    await tx.query('update ledger_entries set body = $1, leaf_hash = $2 where index = 150', [
      body,
      leafHash(body),
    ]);
    await tx.query(
      'update ledger_tiles set hashes = overlay(hashes placing $1 from $2) where level = 0 and index = 0',
      [leafHash(body), 150 * 32 + 1],
    );
  });
  const signed = report.problems.find(({ where }) => where === 'checkpoint');
  assert.equal(signed?.at, '256');
  assert.match(signed?.problem ?? '', /entries 100 to 255 do not have the signed root/);
  assert.ok(named(report).includes('checkpoint later'));
});

test('missing, cut, extra and moved rows are named', async () => {
  const cases: [string, string[]][] = [
    ['delete from ledger_entries where index = 300', ['entry 300']],
    ['delete from ledger_entries where index in (0, 1)', ['entry 0', 'entry 1']],
    ['delete from ledger_entries where index >= 528', ['tile 0/2', 'checkpoint 530']],
    ['delete from ledger_tiles where level = 0 and index = 1', ['tile 0/1']],
    ['delete from ledger_tiles where level = 1', ['tile 1/0']],
    ["insert into ledger_tiles values (0, 3, 1, decode(repeat('00', 32), 'hex'))", ['tile 0/3']],
    ["insert into ledger_tiles values (7, 0, 1, decode(repeat('00', 32), 'hex'))", ['tile 7/0']],
    ['update ledger_tiles set width = 3 where level = 1', ['tile 1/0']],
    [
      "update ledger_tiles set hashes = overlay(hashes placing decode('00', 'hex') from 40) where level = 1",
      ['tile 1/0'],
    ],
    ['delete from ledger_checkpoints where size = 530', ['entry 457']],
    ['delete from ledger_checkpoints', ['entry 0']],
    [
      "update ledger_checkpoints set note = replace(note, '530', '531') where size = 530",
      ['checkpoint 530', 'entry 457'],
    ],
    [
      "update ledger_checkpoints set signed_at = signed_at + interval '1 ms' where size = 100",
      ['checkpoint 100'],
    ],
    ['update ledger_checkpoints set root = sha256(root) where size = 100', ['checkpoint 100']],
    ['update ledger_checkpoints set size = 101 where size = 100', ['checkpoint 101']],
    [
      `insert into ledger_pending (id, kind, subject, actor, at, body)
       select pending_id, kind, subject, actor, at, body from ledger_entries where index = 9`,
      ['pending 10'],
    ],
  ];
  for (const [sql, expected] of cases) {
    const report = await changed((tx) => tx.query(sql));
    assert.deepEqual(
      named(report).filter((name) => !name.startsWith('entry 52')),
      expected,
      sql,
    );
  }
});

test('two entries that changed places are both named', async () => {
  const report = await changed((tx) =>
    tx.query(`update ledger_entries e set body = o.body, leaf_hash = o.leaf_hash, subject = o.subject, at = o.at
              from ledger_entries o where (e.index, o.index) in ((40, 41), (41, 40))`),
  );
  assert.deepEqual(named(report), ['entry 40', 'entry 41']);
});

test('a remembered head that the log lacks, or another log, is named', async () => {
  const foreign = signCheckpoint(signer, 600, Buffer.alloc(32), Date.now());
  assert.deepEqual(named(await verifyLedger(fresh.database, signer, { remembered: foreign })), ['head 600']);
  const fork = signCheckpoint(signer, SIZE, Buffer.alloc(32), Date.now());
  assert.deepEqual(named(await verifyLedger(fresh.database, signer, { remembered: fork })), [`head ${SIZE}`]);
  assert.equal((await verifyLedger(fresh.database, testLog())).ok, false);
});

test('an empty ledger verifies', async () => {
  const empty = await testDatabase();
  const report = await verifyLedger(empty.database, signer);
  await empty.close();
  assert.deepEqual([report.ok, report.size], [true, 0]);
});
