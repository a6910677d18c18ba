import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { hashedrekordBody, parseHashedrekord } from './hashedrekord.ts';
import { logIdentity } from './log.ts';
import { testLog } from './testing.ts';

const AT_MS = Date.UTC(2026, 5, 1, 12, 0, 7);
const root = hash('sha256', 'root', 'buffer');

test('a checkpoint says what was signed', () => {
  const log = testLog('log-0123456789abcdef.slipway.local');
  const note = signCheckpoint(log, 12_345, root, AT_MS + 999);
  assert.deepEqual(openCheckpoint(note, log), { size: 12_345, root, atMs: AT_MS });
  assert.match(
    note,
    /^log-0123456789abcdef\.slipway\.local\n12345\n[A-Za-z0-9+/=]{44}\n\n(— \S+\.slipway\.local \S+\n){2}$/,
  );
});

test('law: a note with any one byte changed, cut or added is refused', () => {
  const log = testLog();
  const note = Buffer.from(signCheckpoint(log, 7, root, AT_MS));
  const byte = fc.integer({ min: 1, max: 255 });
  fc.assert(
    fc.property(fc.nat(note.length - 1), byte, (at, mask) => {
      const changed = Buffer.from(note);
      changed[at]! ^= mask;
      assert.equal(typeof openCheckpoint(changed.toString('utf8'), log), 'string');
      const cut = Buffer.concat([note.subarray(0, at), note.subarray(at + 1)]);
      assert.equal(typeof openCheckpoint(cut.toString('utf8'), log), 'string');
    }),
    { numRuns: 2_000 },
  );
});

test('another key, another origin, a note of strangers and oversize notes are refused; witnesses may sign too', () => {
  const log = testLog();
  const note = signCheckpoint(log, 7, root, AT_MS);
  assert.match(openCheckpoint(note, testLog()) as string, /not signed by the ledger key/);
  assert.match(openCheckpoint(note, logIdentity(log.spkiDer, 'other.example')) as string, /another log/);
  const witnessed = `${note}— witness.example ${Buffer.alloc(76, 7).toString('base64')}\n`;
  assert.equal(typeof openCheckpoint(witnessed, log), 'object');
  assert.equal(typeof openCheckpoint(witnessed + 'x'.repeat(20_000), log), 'string');
  assert.equal(typeof openCheckpoint(`${note}— a b\n`.repeat(100), log), 'string');
  const [text, signatures] = note.split('\n\n') as [string, string];
  const plainOnly = `${text}\n\n${signatures.split('\n')[0]}\n`;
  assert.match(openCheckpoint(plainOnly, log) as string, /no signed time/);
  const [other] = signCheckpoint(log, 8, root, AT_MS).split('\n\n') as [string];
  assert.match(
    openCheckpoint(`${other}\n\n${signatures}`, log) as string,
    /signature of the checkpoint is wrong/,
  );
});

test('law: opening arbitrary text never throws', () => {
  const log = testLog();
  const start = `${log.origin}\n5\n${root.toString('base64')}\n\n`;
  const line = fc.oneof(fc.string(), fc.constantFrom('—', `— ${log.origin}`, '\n', ' ', 'AAAAAA=='));
  fc.assert(
    fc.property(fc.boolean(), fc.array(line), (prefixed, parts) => {
      assert.equal(typeof openCheckpoint((prefixed ? start : '') + parts.join(''), log), 'string');
    }),
  );
});

test('law: a hashedrekord body is read only in the one form it is written', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 100 }).map((array) => Buffer.from(array));
  const digest = fc
    .string({ unit: 'binary' })
    .map((text): `sha256:${string}` => `sha256:${hash('sha256', text)}`);
  fc.assert(
    fc.property(digest, bytes, bytes, (signedDigest, signature, spkiDer) => {
      const body = hashedrekordBody({ signedDigest, signature, spkiDer });
      assert.deepEqual(parseHashedrekord(body), { signedDigest, signature, spkiDer });
      assert.equal(
        parseHashedrekord(Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1))),
        null,
      );
      assert.equal(parseHashedrekord(body.subarray(1)), null);
    }),
  );
  for (const odd of ['', 'null', '{}', '[]', '{"spec":{"hashedRekordV002":null}}']) {
    assert.equal(parseHashedrekord(Buffer.from(odd)), null);
  }
});
