import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyId, readLogKey, readNote, verifyNote } from '../../src/cli/proof/checkpoint.ts';
import { isConsistent, leafHash, rootFromInclusion } from '../../src/cli/proof/tree.ts';
import { signCheckpoint } from '../../src/support/ledger/checkpoint.ts';
import { logSigner } from '../../src/support/ledger/log.ts';
import { consistencyProof, inclusionProof, rootOf } from './rfc9162.ts';

const entries = (n: number) => Array.from({ length: n }, (_, i) => Buffer.from(`entry ${i}`));

test('an inclusion proof leads to the root, and to no other from another entry, place or size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (size, at, other) => {
      const leaves = entries(size);
      const index = at % size;
      const proof = inclusionProof(index, leaves);
      const root = rootOf(leaves);
      const leaf = leafHash(leaves[index] as Buffer);
      const leads = (...[l, i, s, p]: Parameters<typeof rootFromInclusion>) =>
        rootFromInclusion(l, i, s, p)?.equals(root) === true;
      assert.ok(leads(leaf, index, size, proof));
      assert.ok(!leads(leafHash(Buffer.from('another')), index, size, proof));
      assert.ok(!leads(leaf, index, size, [...proof, leaf]));
      if (proof.length > 0) assert.ok(!leads(leaf, index, size, proof.slice(1)));
      const wrong = other % size;
      if (wrong !== index) assert.ok(!leads(leaf, wrong, size, proof));
    }),
  );
  for (const [index, size] of [
    [0, 0],
    [1, 1],
    [-1, 3],
    [0.5, 3],
    [2 ** 53, 2 ** 53 + 2],
  ] as const)
    assert.equal(rootFromInclusion(leafHash(Buffer.from('x')), index, size, []), null);
});

test('a consistency proof holds for the beginning of a log and for nothing else', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), (to, at) => {
      const from = 1 + (at % to);
      const leaves = entries(to);
      const before = { size: from, root: rootOf(leaves.slice(0, from)) };
      const now = { size: to, root: rootOf(leaves) };
      const proof = consistencyProof(from, leaves);
      assert.ok(isConsistent(before, now, proof));
      const forged = { size: from, root: leafHash(Buffer.from('other')) };
      assert.ok(!isConsistent(forged, now, proof));
      assert.ok(!isConsistent(before, { size: to, root: forged.root }, proof));
      assert.ok(!isConsistent(before, now, [...proof, forged.root]));
      if (proof.length > 0) assert.ok(!isConsistent(before, now, proof.slice(1)));
    }),
  );
  assert.ok(
    !isConsistent(
      { size: 2, root: leafHash(Buffer.from('a')) },
      { size: 1, root: leafHash(Buffer.from('a')) },
      [],
    ),
  );
});

function signedNote(): { note: string; key: KeyObject; origin: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
  const log = logSigner({ spkiDer, sign: (text) => sign(null, text, privateKey) });
  return {
    note: signCheckpoint(log, 12, leafHash(Buffer.from('root')), 1_700_000_000_000),
    key: publicKey,
    origin: log.origin,
  };
}

test('a checkpoint of the server verifies with its key, and says when it was signed', () => {
  const { note, key, origin } = signedNote();
  const read = readNote(note);
  assert.ok(typeof read === 'object');
  const head = verifyNote(read, key, origin);
  assert.ok(typeof head === 'object', String(head));
  assert.equal(head.size, 12);
  assert.equal(head.atMs, 1_700_000_000_000);
});

test('no changed byte of a checkpoint, no other key and no other name verifies', () => {
  const { note, key, origin } = signedNote();
  const judge = (text: string, by = key, as = origin) => {
    const read = readNote(text);
    return typeof read === 'string' ? read : verifyNote(read, by, as);
  };
  for (let i = 0; i < note.length; i++) {
    const flipped = `${note.slice(0, i)}${note[i] === 'A' ? 'B' : 'A'}${note.slice(i + 1)}`;
    // A changed signature beside the two that count is nobody's business; these are the two.
    assert.equal(typeof judge(flipped), 'string', `byte ${i} of the checkpoint`);
  }
  assert.equal(typeof judge(note, signedNote().key), 'string');
  assert.equal(typeof judge(note, key, 'another.log'), 'string');
  for (const broken of ['', '\n\n', note.trimEnd(), note.replace('\n\n', '\n'), 'x'.repeat(70_000)])
    assert.equal(typeof judge(broken), 'string');
});

test('keys: only Ed25519 in PEM', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  assert.ok(readLogKey(pem)?.equals(createPublicKey(pem)));
  assert.equal(keyId('a.log', 0x01, publicKey).length, 4);
  assert.equal(readLogKey('nonsense'), null);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
    type: 'spki',
    format: 'pem',
  }) as string;
  assert.equal(readLogKey(rsa), null);
});
