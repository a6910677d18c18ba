import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isSlipwayError } from '../../kernel/errors.ts';
import { RawAnswer, type RequestContext } from '../../platform/http/route.ts';
import { type TestDatabase, testDatabase } from '../../platform/postgres/testing.ts';
import { checkInclusionProof } from './check.ts';
import { openCheckpoint } from './checkpoint.ts';
import { appendLeaf, emptyTree, leafHash, rootOf } from './merkle.ts';
import { type LedgerRouteDeps, ledgerRoutes } from './routes.ts';
import { sequenceOnce } from './sequencer.ts';
import { appendSome, memoryHeads, testLog, tickingClock } from './testing.ts';

const log = testLog();
let fresh: TestDatabase;
let deps: LedgerRouteDeps;
before(async () => {
  fresh = await testDatabase();
  const heads = memoryHeads();
  const sequencing = { database: fresh.database, signer: log, clock: tickingClock(), heads };
  for (const [count, first] of [
    [270, 0],
    [30, 270],
  ] as const) {
    await appendSome(fresh.database, count, first);
    await sequenceOnce(sequencing);
  }
  deps = {
    database: fresh.database,
    log,
    logKeyValidFromMs: 0,
    keys: () => [],
    rememberedHead: () => heads.load(),
  };
});
after(() => fresh.close());

/** As the server does it: schemas first, then the handler, then the answer's schema. */
async function call(
  operationId: string,
  input: { params?: unknown; query?: unknown } = {},
  using = deps,
): Promise<unknown> {
  const route = ledgerRoutes(using).find((candidate) => candidate.operationId === operationId);
  assert.ok(route, operationId);
  const params = route.params?.parse(input.params ?? {});
  const query = route.query?.parse(input.query ?? {});
  const answer = await route.handle({} as RequestContext, { params, query, body: undefined });
  return answer instanceof RawAnswer ? answer : route.response?.parse(answer);
}

const bytes = async (path: string) =>
  ((await call('getLedgerTile', { params: { '*': path } })) as RawAnswer).body as Buffer;
const absent = (error: unknown) => isSlipwayError(error) && error.code === 'not_found';

test('a client can check the log from checkpoint and tiles alone', async () => {
  const { body } = (await call('getLedgerCheckpoint')) as RawAnswer;
  const checkpoint = openCheckpoint(body as string, log);
  assert.ok(typeof checkpoint !== 'string');
  assert.equal(checkpoint.size, 300);
  const tree = emptyTree();
  for (const path of ['entries/000', 'entries/001.p/44']) {
    const bundle = await bytes(path);
    for (let at = 0; at < bundle.length; at += 2 + bundle.readUInt16BE(at)) {
      appendLeaf(tree, leafHash(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at))));
    }
  }
  assert.equal(tree.size, 300);
  assert.deepEqual(rootOf(tree), checkpoint.root);
  assert.equal((await bytes('0/000')).length, 256 * 32);
  assert.deepEqual(await bytes('0/000.p/100'), (await bytes('0/000')).subarray(0, 3200));
  assert.equal((await bytes('1/000.p/1')).length, 32);
  for (const path of [
    '0/001',
    '0/001.p/45',
    '1/000',
    '2/000.p/1',
    'entries/001',
    '0/x999/x999/x999/x999/x999/999',
    'x',
  ]) {
    await assert.rejects(call('getLedgerTile', { params: { '*': path } }), absent, path);
  }
});

test('entries, proofs and consistency are served and check offline', async () => {
  const page = (await call('listLedgerEntries', { query: { order: 'desc', limit: '2' } })) as {
    size: number;
    entries: { index: number }[];
  };
  assert.deepEqual([page.size, ...page.entries.map((entry) => entry.index)], [300, 299, 298]);
  const proof = await call('getLedgerInclusionProof', { params: { index: '5' } });
  assert.equal(typeof checkInclusionProof(proof, log), 'object');
  const old = await call('getLedgerInclusionProof', { params: { index: '5' }, query: { size: '270' } });
  assert.equal(typeof checkInclusionProof(old, log), 'object');
  await call('getLedgerConsistencyProof', { query: { from: 270, to: 300 } });
  await call('getLedgerEntry', { params: { index: 7 } });
  await call('getTrustedRoot');
  await call('listKeys');
  await assert.rejects(call('getLedgerEntry', { params: { index: 300 } }), absent);
  await assert.rejects(call('listLedgerEntries', { query: { limit: 1001 } }));
  await assert.rejects(call('getLedgerEntry', { params: { index: -1 } }));
});

test('every field of a proof counts', async () => {
  const proof = (await call('getLedgerInclusionProof', { params: { index: 5 } })) as Record<string, unknown>;
  const hashes = proof.hashes as string[];
  const wrong: Record<string, unknown[]> = {
    index: [4, 6, -1, 300, '5', null, 2 ** 60],
    size: [299, 270, '300', null],
    body: ['', 'AA==', null, `${proof.body} `, 'A'.repeat(90_000)],
    hashes: [
      [],
      hashes.slice(1),
      [...hashes, hashes[0]],
      hashes.toReversed(),
      [null],
      'x',
      new Array(1000).fill(hashes[0]),
    ],
    root: ['', null, hashes[0]],
    checkpoint: ['', null, 7, 'x'.repeat(1_000_000)],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      assert.equal(
        typeof checkInclusionProof({ ...proof, [field]: value }, log),
        'string',
        `${field} ${String(value).slice(0, 40)}`,
      );
    }
  }
  for (const odd of [null, [], 'x', 7, {}]) assert.equal(typeof checkInclusionProof(odd, log), 'string');
});

test('verification covers the log and the artifact store, and callers share a run', async () => {
  let runs = 0;
  const using: LedgerRouteDeps = {
    ...deps,
    async verifyArtifacts() {
      runs += 1;
      return [{ digest: 'sha256:aa', problem: 'its bytes hash to sha256:bb' }];
    },
  };
  const route = ledgerRoutes(using).find(({ operationId }) => operationId === 'verifyLedger');
  const run = () => route?.handle({} as RequestContext, { params: {}, query: {}, body: undefined });
  const [first, second] = await Promise.all([run(), run()]);
  assert.deepEqual(first, second);
  assert.equal(runs, 1);
  assert.equal((first as { ok: boolean }).ok, false);
  assert.equal(((await call('verifyLedger')) as { ok: boolean }).ok, true);
});
