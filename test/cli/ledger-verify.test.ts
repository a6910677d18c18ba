import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCli } from '../../src/cli/main.ts';
import { signCheckpoint } from '../../src/support/ledger/checkpoint.ts';
import { logSigner } from '../../src/support/ledger/log.ts';
import { type FakeServer, fakeServer, sendJson } from './fake-server.ts';
import { createIo } from './io.ts';
import { fakeLocal } from './local.ts';
import { consistencyProof, inclusionProof, rootOf } from './rfc9162.ts';

/** A log that may lie: its answers are made from these, and every test changes one of them. */
interface Log {
  leaves: Buffer[];
  body(index: number): Buffer;
  report: object;
  signer: ReturnType<typeof signer>;
}

function signer() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const log = logSigner(
    {
      spkiDer: publicKey.export({ type: 'spki', format: 'der' }),
      sign: (text) => sign(null, text, privateKey),
    },
    'log.test',
  );
  return { log, pem: publicKey.export({ type: 'spki', format: 'pem' }) as string };
}

const KEY = signer();
const entry = (index: number) =>
  Buffer.from(
    JSON.stringify({
      kind: 'release.built',
      at: '2026-01-01T00:00:00Z',
      actor: 'system:worker',
      subject: `rel_${index}`,
    }),
  );

function honest(): Log {
  const leaves = Array.from({ length: 11 }, (_, index) => entry(index));
  const report = {
    ok: true,
    size: 11,
    root: rootOf(leaves).toString('hex'),
    checkpoints: 3,
    problems: [],
    truncated: false,
    artifacts: { ok: true, problems: [] },
  };
  return { leaves, body: (index) => leaves[index] as Buffer, report, signer: KEY };
}

let home = '';
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-log-'));
  await writeFile(join(home, 'log.pem'), KEY.pem);
  await writeFile(join(home, 'other.pem'), signer().pem);
});
after(() => rm(home, { recursive: true, force: true }));

function note({ leaves, signer: { log } }: Log): string {
  return signCheckpoint(log, leaves.length, rootOf(leaves), 1_700_000_000_000);
}

function serve(log: Log): Promise<FakeServer> {
  const base64 = (parts: readonly Buffer[]) => parts.map((part) => part.toString('base64'));
  return fakeServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const index = Number(/entries\/(\d+)\/proof/.exec(url.pathname)?.[1]);
    if (url.pathname === '/v1/ledger/keys')
      return sendJson(response, {
        origin: 'log.test',
        logId: '',
        keys: [
          {
            name: 'ledger',
            purpose: 'ledger',
            algorithm: 'ed25519',
            hint: '',
            pem: log.signer.pem,
            validFrom: '',
            validUntil: null,
            revokedAt: null,
          },
        ],
      });
    if (url.pathname === '/v1/ledger/verify') return sendJson(response, log.report);
    if (url.pathname === '/v1/ledger/checkpoint') return void response.end(note(log));
    if (url.pathname === '/v1/ledger/consistency')
      return sendJson(response, {
        from: 0,
        to: 0,
        fromRoot: '',
        toRoot: '',
        hashes: base64(consistencyProof(Number(url.searchParams.get('from')), log.leaves)),
      });
    return sendJson(response, {
      index,
      size: log.leaves.length,
      body: log.body(index).toString('base64'),
      hashes: base64(inclusionProof(index, log.leaves)),
      root: '',
      checkpoint: note(log),
    });
  });
}

async function verify(log: Log, ...words: string[]) {
  const server = await serve(log);
  const io = createIo({ env: { SLIPWAY_URL: server.url }, cwd: home });
  const code = await runCli(['ledger', 'verify', ...words], fakeLocal(null), io);
  await server.stop();
  return { code, out: io.out(), err: io.err() };
}

test('an honest log verifies, whole and entry by entry, with the key it shows or the one given', async () => {
  assert.equal((await verify(honest())).code, 0);
  for (const index of ['0', '7', '10'])
    assert.equal((await verify(honest(), index, '--key', 'log.pem')).code, 0, index);
  assert.match((await verify(honest(), '3')).err, /the key is the one this server shows/);
});

test('a changed entry is refused here, whatever the server says of it', async () => {
  const lying: Log = { ...honest(), body: () => Buffer.from('{"kind":"release.built","actor":"mallory"}') };
  const { code, err, out } = await verify(lying, '7');
  assert.equal(code, 5);
  assert.match(err, /tampered: entry 7 is not in the signed log/);
  assert.equal(out, '');
});

test('a log signed by another key is refused when the right one is given', async () => {
  const stolen: Log = { ...honest(), signer: signer() };
  assert.equal((await verify(stolen, '7')).code, 0, 'the key it shows fits');
  assert.equal((await verify(stolen, '7', '--key', 'log.pem')).code, 5);
  assert.equal((await verify(honest(), '7', '--key', 'other.pem')).code, 5);
  assert.equal((await verify(honest(), '--key', 'other.pem')).code, 5);
  assert.equal((await verify(honest(), '7', '--key', 'missing.pem')).code, 2);
});

test('problems that the server found are named, and are no success', async () => {
  const report = {
    ...honest().report,
    ok: false,
    problems: [{ where: 'entry', at: '3', problem: 'the leaf differs' }],
    artifacts: { ok: false, problems: [{ digest: 'sha256:ab', problem: 'bit rot' }] },
  };
  const { code, out } = await verify({ ...honest(), report });
  assert.equal(code, 5);
  assert.match(out, /^tampered: .*\n {2}entry 3: the leaf differs\n {2}artifact sha256:ab: bit rot/);
});

test('a report that does not fit the signed head is refused', async () => {
  assert.equal((await verify({ ...honest(), report: { ...honest().report, root: '0'.repeat(64) } })).code, 5);
  assert.equal((await verify({ ...honest(), report: { ...honest().report, size: 12 } })).code, 5);
});

test('--since: the log may grow, and may neither be rewritten nor cut', async () => {
  const full = honest();
  const early: Log = { ...full, leaves: full.leaves.slice(0, 6) };
  await writeFile(join(home, 'head.txt'), note(early));
  const grown = await verify(full, '--since', 'head.txt');
  assert.equal(grown.code, 0, grown.err);
  assert.match(grown.out, /the 6 entries of head.txt are the beginning of these 11/);
  const leaves = full.leaves.map((leaf, index) => (index === 2 ? Buffer.from('{}') : leaf));
  const rewritten: Log = {
    ...full,
    leaves,
    report: { ...full.report, root: rootOf(leaves).toString('hex') },
  };
  const after = await verify(rewritten, '--since', 'head.txt');
  assert.equal(after.code, 5);
  assert.match(after.err, /it was rewritten/);
  await writeFile(join(home, 'later.txt'), note(full));
  const short: Log = {
    ...early,
    report: { ...full.report, size: 6, root: rootOf(early.leaves).toString('hex') },
  };
  assert.match((await verify(short, '--since', 'later.txt')).err, /it was cut/);
  await writeFile(join(home, 'junk.txt'), 'junk');
  assert.equal((await verify(full, '--since', 'junk.txt')).code, 5);
});
