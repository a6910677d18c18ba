import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLogger } from '../../platform/log.ts';
import { freePort } from '../../platform/ports.ts';
import { openDatabase } from '../../platform/postgres/database.ts';
import { startPostgres } from '../../platform/postgres/embedded.ts';
import { migrate } from '../../platform/postgres/migrate.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { append, appendAll, appendSignature } from './append.ts';
import { checkConsistency, checkInclusionProof } from './check.ts';
import { openCheckpoint } from './checkpoint.ts';
import { hashedrekordBody } from './hashedrekord.ts';
import { fileHeadStore } from './head.ts';
import { consistencyProof, inclusionProof } from './proofs.ts';
import { readEntries, readEntry, waitForIndex } from './read.ts';
import { runSequencer, sequenceOnce } from './sequencer.ts';
import { checkpointOfSize, latestCheckpoint } from './store.ts';
import { appendSome, breakingDatabase, memoryHeads, someEntry, testLog, tickingClock } from './testing.ts';
import { verifyLedger } from './verify/ledger.ts';

const code = (expected: string) => (error: unknown) => isSlipwayError(error) && error.code === expected;
const signer = testLog();
let fresh: TestDatabase;
beforeEach(async () => {
  fresh = await testDatabase();
});
afterEach(() => fresh.close());

const deps = () => ({ database: fresh.database, signer, clock: tickingClock(), heads: memoryHeads() });

test('appended entries stand in the log in order, with proofs that check offline', async () => {
  const all = deps();
  const ids = await appendSome(fresh.database, 300);
  assert.equal(await sequenceOnce(all), 300);
  assert.equal(await sequenceOnce(all), 0);
  await appendSome(fresh.database, 3, 300);
  assert.equal(await sequenceOnce(all), 3);
  const entries = await readEntries(fresh.database, { limit: 1000 });
  assert.deepEqual(
    entries.map((entry) => [entry.index, entry.subject]),
    Array.from({ length: 303 }, (_, i) => [i, `rol_${i}`]),
  );
  assert.deepEqual(entries[5]?.body?.data, { n: 5, text: 'ünïcode ✓' });
  assert.equal(await waitForIndex(fresh.database, ids[7]!, 1000), 7);
  for (const index of [0, 1, 255, 256, 299, 302]) {
    const proof = JSON.parse(JSON.stringify(await inclusionProof(fresh.database, index)));
    const proven = checkInclusionProof(proof, signer);
    assert.ok(typeof proven !== 'string', String(proven));
    assert.equal(proven.size, 303);
    assert.equal(JSON.parse(proven.body.toString()).subject, `rol_${index}`);
  }
  const first = await inclusionProof(fresh.database, 7, 'first');
  assert.equal(first.size, 300);
  const { hashes } = await consistencyProof(fresh.database, 300, 303);
  const notes = [await checkpointOfSize(fresh.database, 300), await checkpointOfSize(fresh.database, 303)];
  assert.equal(checkConsistency(notes[0]!.note, notes[1]!.note, hashes, signer), null);
  assert.match(checkConsistency(notes[1]!.note, notes[0]!.note, hashes, signer)!, /does not extend/);
  assert.deepEqual((await verifyLedger(fresh.database, signer)).problems, []);
});

test('reading is filtered, paged and bounded', async () => {
  await fresh.database.transaction((tx) =>
    appendAll(tx, [
      someEntry(0, { service: 'a' }),
      someEntry(1, { service: 'b', kind: 'gate.decided' }),
      someEntry(2, { service: 'a', environment: undefined }),
    ]),
  );
  await sequenceOnce(deps());
  const indexes = async (filter: Parameters<typeof readEntries>[1]) =>
    (await readEntries(fresh.database, filter)).map((entry) => entry.index);
  assert.deepEqual(await indexes({ service: 'a' }), [0, 2]);
  assert.deepEqual(await indexes({ service: 'a', environment: 'prod' }), [0]);
  assert.deepEqual(await indexes({ kind: 'gate.decided' }), [1]);
  assert.deepEqual(await indexes({ subject: 'rol_2' }), [2]);
  assert.deepEqual(await indexes({ from: 1, limit: 1 }), [1]);
  assert.deepEqual(await indexes({ from: 1, descending: true }), [1, 0]);
  await assert.rejects(readEntry(fresh.database, 3), code('not_found'));
  await assert.rejects(inclusionProof(fresh.database, 3), code('not_found'));
  await assert.rejects(inclusionProof(fresh.database, 0, 2), code('not_found'));
  await assert.rejects(consistencyProof(fresh.database, 2, 4), code('invalid_input'));
});

test('an entry is in the ledger exactly when its transaction committed', async () => {
  const all = deps();
  const failed = fresh.database.transaction(async (tx) => {
    await append(tx, someEntry(1));
    throw new SlipwayError('conflict', 'changed my mind');
  });
  await assert.rejects(failed, code('conflict'));
  assert.equal(await sequenceOnce(all), 0);
  await assert.rejects(waitForIndex(fresh.database, 1, 1000), code('not_found'));
  const [id] = await appendSome(fresh.database, 1);
  await assert.rejects(waitForIndex(fresh.database, id!, 20), code('timeout'));
  await assert.rejects(waitForIndex(fresh.database, id!, 1000, AbortSignal.abort()), code('cancelled'));
});

test('too large bodies, unknown kinds and bodies that are no signature are refused', async () => {
  const refuse = (entry: Parameters<typeof append>[1], expected: string) =>
    assert.rejects(
      fresh.database.transaction((tx) => append(tx, entry)),
      code(expected),
    );
  await refuse(someEntry(0, { data: { text: 'x'.repeat(65_536) } }), 'payload_too_large');
  await refuse(someEntry(0, { kind: 'signature' as 'commit.seen' }), 'invalid_input');
  await refuse(someEntry(0, { kind: 'no.such' as 'commit.seen' }), 'invalid_input');
  const body = Buffer.from('{}');
  await assert.rejects(
    fresh.database.transaction((tx) => appendSignature(tx, { atMs: 0, body })),
    code('invalid_input'),
  );
  const overhead = Buffer.byteLength(JSON.stringify({ text: '' }));
  const plain = { kind: 'commit.seen', at: new Date(0).toISOString(), actor: 'a', subject: 's', data: {} };
  const room = 65_535 - Buffer.byteLength(JSON.stringify(plain)) - overhead + 2;
  const full = { kind: 'commit.seen', atMs: 0, actor: 'a', subject: 's' } as const;
  await fresh.database.transaction((tx) => append(tx, { ...full, data: { text: 'x'.repeat(room) } }));
  await refuse({ ...full, data: { text: 'x'.repeat(room + 1) } }, 'payload_too_large');
});

test('law: however the log grows and wherever it breaks, every committed entry stands in it once and it verifies', async () => {
  const plan = fc.array(
    fc.record({
      count: fc.integer({ min: 1, max: 40 }),
      fault: fc.constantFrom(
        'none',
        'before commit',
        'after commit',
        'head not saved',
        'head saved, then failed',
      ),
    }),
    { minLength: 1, maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(plan, fc.integer({ min: 1, max: 30 }), async (steps, batch) => {
      await fresh.close();
      fresh = await testDatabase();
      const heads = memoryHeads();
      const clock = tickingClock();
      let appended = 0;
      for (const { count, fault } of steps) {
        await appendSome(fresh.database, count, appended);
        appended += count;
        const broken = fault.endsWith('commit');
        const database = broken
          ? breakingDatabase(fresh.database, 0, fault as 'before commit' | 'after commit')
          : fresh.database;
        const failing = {
          load: () => heads.load(),
          async save(note: string) {
            if (fault !== 'head not saved') await heads.save(note);
            if (fault.startsWith('head')) throw new SlipwayError('disk_full', 'injected');
          },
        };
        await sequenceOnce({ database, signer, clock, heads: failing }, batch).catch((error: unknown) => {
          assert.ok(fault !== 'none' && isSlipwayError(error) && /injected/.test(error.message));
        });
      }
      await sequenceOnce({ database: fresh.database, signer, clock, heads }, batch);
      const subjects = (await readEntries(fresh.database, { limit: 1000 })).map((entry) => entry.subject);
      assert.deepEqual(
        subjects,
        Array.from({ length: appended }, (_, i) => `rol_${i}`),
      );
      assert.deepEqual((await verifyLedger(fresh.database, signer, { remembered: heads.note })).problems, []);
    }),
    { numRuns: 12 },
  );
});

test('many appenders and four sequencers at once: nothing lost, nothing twice', async () => {
  const heads = memoryHeads();
  const shared = { database: fresh.database, signer, clock: systemClock, heads };
  let running = true;
  let overlapped = 0;
  const sequencers = Array.from({ length: 4 }, async () => {
    while (running) if ((await sequenceOnce(shared, 10)) > 0) overlapped += 1;
  });
  await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      for (let n = 0; n < 40; n++) await appendSome(fresh.database, 1, i * 1000 + n);
    }),
  );
  running = false;
  await Promise.all(sequencers);
  await sequenceOnce(shared);
  assert.ok(overlapped > 1, 'the sequencers never ran beside the appenders');
  const subjects = (await readEntries(fresh.database, { limit: 1000 })).map((entry) => entry.subject);
  assert.equal(subjects.length, 240);
  assert.equal(new Set(subjects).size, 240);
  assert.deepEqual((await verifyLedger(fresh.database, signer)).problems, []);
});

test('an old backup, a fork, another key and a forged head are refused, and nothing is appended', async () => {
  const all = deps();
  await appendSome(fresh.database, 5);
  await sequenceOnce(all);
  const backup = all.heads.note;
  await appendSome(fresh.database, 5, 5);
  await sequenceOnce(all);
  await appendSome(fresh.database, 1, 10);

  const refused = async (message: RegExp, changed: Partial<typeof all>) => {
    await assert.rejects(sequenceOnce({ ...all, ...changed }), (error: unknown) => {
      assert.ok(code('tampered')(error), String(error));
      assert.match((error as Error).message, message);
      return true;
    });
    assert.equal((await latestCheckpoint(fresh.database))?.size, 10);
  };
  await refused(/does not verify/, { signer: testLog() });
  await refused(/remembered.*does not verify/, { heads: memoryHeads('nonsense') });
  const other = await testDatabase();
  const fork = { ...all, database: other.database, heads: memoryHeads() };
  await appendSome(other.database, 7, 100);
  await sequenceOnce(fork);
  await refused(/fork/, { heads: memoryHeads(fork.heads.note) });
  await appendSome(other.database, 7, 200);
  await sequenceOnce(fork);
  await refused(/10 entries, and this machine has signed 14/, { heads: memoryHeads(fork.heads.note) });
  await other.close();
  // An older head is what a crash between commit and save leaves: accepted.
  await fresh.database.query(
    'update ledger_tiles set hashes = overlay(hashes placing $1 from 1) where level = 0',
    [Buffer.alloc(32)],
  );
  await refused(/do not have the root/, { heads: memoryHeads(backup) });
});

test('the log is refused when its tables were emptied behind the remembered head', async () => {
  const all = deps();
  await appendSome(fresh.database, 5);
  await sequenceOnce(all);
  await fresh.database.query('truncate ledger_entries, ledger_tiles, ledger_checkpoints');
  await appendSome(fresh.database, 1);
  await assert.rejects(sequenceOnce(all), code('tampered'));
});

test('a signature entry takes its time from the checkpoint that first covers it', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
  const signed = Buffer.from('pae');
  const body = hashedrekordBody({
    signedDigest: `sha256:${hash('sha256', signed)}`,
    signature: sign('sha256', signed, privateKey),
    spkiDer,
  });
  await fresh.database.transaction((tx) => appendSignature(tx, { atMs: 5, body }));
  await sequenceOnce(deps());
  const entry = await readEntry(fresh.database, 0);
  const checkpoint = openCheckpoint((await latestCheckpoint(fresh.database))!.note, signer);
  assert.ok(typeof checkpoint !== 'string');
  assert.equal(Date.parse(entry.at), checkpoint.atMs);
  assert.equal(entry.subject, `sha256:${hash('sha256', signed)}`);
  assert.equal(entry.actor, `key:${hash('sha256', spkiDer)}`);
  assert.deepEqual((await verifyLedger(fresh.database, signer)).problems, []);
});

const home = await mkdtemp(join(tmpdir(), 'slipway-ledger-'));
after(() => rm(home, { recursive: true, force: true }));

test('the running sequencer wakes by itself, survives a restart of PostgreSQL and stops when told', async () => {
  const directory = join(home, 'cluster');
  const port = await freePort();
  let server = await startPostgres({ directory, port });
  const database = openDatabase(server.url);
  const stop = new AbortController();
  const log = createLogger('test', 'silent');
  try {
    await migrate(database, new URL('../../../migrations', import.meta.url).pathname);
    const heads = fileHeadStore(join(home, 'ledger-head'));
    const running = runSequencer({ database, signer, clock: systemClock, heads, signal: stop.signal, log });
    const [first] = await appendSome(database, 1);
    assert.equal(await waitForIndex(database, first!, 5_000), 0);
    await server.stop();
    server = await startPostgres({ directory, port });
    const [second] = await appendSome(database, 1, 1);
    assert.equal(await waitForIndex(database, second!, 10_000), 1);
    stop.abort();
    await running;
    const remembered = await heads.load();
    assert.equal(remembered, (await latestCheckpoint(database))?.note);
    assert.deepEqual((await verifyLedger(database, signer, { remembered })).problems, []);
  } finally {
    stop.abort();
    await database.close();
    await server.stop();
  }
});

test('the running sequencer ends with the reason when the log does not fit', async () => {
  const all = deps();
  await appendSome(fresh.database, 2);
  await sequenceOnce(all);
  await fresh.database.query('delete from ledger_checkpoints');
  const log = createLogger('test', 'silent');
  const { signal } = new AbortController();
  await assert.rejects(runSequencer({ ...all, signal, log }), code('tampered'));
});
