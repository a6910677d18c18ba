import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { isSlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { systemClock } from '../../platform/clock.ts';
import { openKeyring } from './keyring.ts';
import { revokeKey, rotateKey } from './rotate.ts';

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-keys-'));
});
after(() => rm(home, { recursive: true }));

const PLAIN = { passphrase: undefined };
const code = (expected: string) => (error: unknown) => isSlipwayError(error) && error.code === expected;
const at = (nowMs: number): Clock => ({ ...systemClock, nowMs: () => nowMs });
const spki = (der: Buffer) => ({ key: der, format: 'der' as const, type: 'spki' as const });

test('a keyring is made once and opens to the same keys', async () => {
  const directory = join(home, 'once');
  const first = await openKeyring(directory, systemClock, PLAIN);
  const again = await openKeyring(directory, systemClock, PLAIN);
  assert.deepEqual(again.publicKeys(), first.publicKeys());
  const signer = first.signer('build');
  const known = again.publicKeys().find((key) => key.hint === signer.hint);
  assert.equal(known?.name, 'build');
  const pae = Buffer.from('what is signed');
  assert.ok(verify('sha256', pae, spki(known.spkiDer), signer.sign(pae)));
  const text = Buffer.from('checkpoint');
  assert.ok(verify(null, text, spki(again.ledgerSigner.spkiDer), first.ledgerSigner.sign(text)));
  assert.equal(await readFile(join(directory, 'build.pub'), 'utf8'), known.pem);
});

test('sixteen processes that open a new keyring at once get one keyring, and no file is left over', async () => {
  const directory = join(home, 'race');
  const rings = await Promise.all(
    Array.from({ length: 16 }, () => openKeyring(directory, systemClock, PLAIN)),
  );
  const hints = new Set(rings.map((ring) => ring.signer('build').hint));
  assert.equal(hints.size, 1);
  const secret = rings[0]!.seal('x');
  for (const ring of rings) assert.equal(ring.unseal(secret), 'x');
  assert.equal((await readdir(directory)).filter((name) => name.endsWith('.key.age')).length, 4);
  assert.equal((await readdir(directory)).filter((name) => name.endsWith('.new')).length, 0);
});

test('a crash before the manifest leaves nothing that counts; a crash after it loses nothing', async () => {
  const directory = join(home, 'crash');
  const made = await openKeyring(directory, systemClock, PLAIN);
  await rm(join(directory, 'keyring-1.json'));
  await rm(join(directory, 'build.pub'));
  const healed = await openKeyring(directory, systemClock, PLAIN);
  assert.notEqual(healed.signer('build').hint, made.signer('build').hint);
  await rm(join(directory, 'build.pub'));
  const reopened = await openKeyring(directory, systemClock, PLAIN);
  assert.equal(reopened.signer('build').hint, healed.signer('build').hint);
  assert.match(await readFile(join(directory, 'build.pub'), 'utf8'), /BEGIN PUBLIC KEY/);
});

test('files that others can read, links and foreign files are refused with the command that mends it', async () => {
  const directory = join(home, 'modes');
  await openKeyring(directory, systemClock, PLAIN);
  for (const name of await readdir(directory)) {
    if (!name.endsWith('.pub')) assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name);
  }
  await chmod(join(directory, 'identity'), 0o640);
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), (error: unknown) => {
    assert.ok(code('forbidden')(error) && isSlipwayError(error));
    assert.match(error.message, /mode 640/);
    assert.match(error.hint ?? '', /chmod 600/);
    return true;
  });
  await chmod(join(directory, 'identity'), 0o600);
  await chmod(directory, 0o755);
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('forbidden'));
  await chmod(directory, 0o700);
  const keyFile = (await readdir(directory)).find((name) => name.startsWith('build-'))!;
  await chmod(join(directory, keyFile), 0o604);
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('forbidden'));
  await chmod(join(directory, keyFile), 0o600);
  await copyFile(join(directory, 'identity'), join(home, 'elsewhere'));
  await rm(join(directory, 'identity'));
  await symlink(join(home, 'elsewhere'), join(directory, 'identity'));
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('forbidden'));
});

test('with a passphrase nothing in the directory opens the keys without it', async () => {
  const directory = join(home, 'passphrase');
  const options = { passphrase: 'correct horse', scryptLogN: 10 };
  const ring = await openKeyring(directory, systemClock, options);
  assert.equal(
    (await openKeyring(directory, systemClock, options)).signer('gate').hint,
    ring.signer('gate').hint,
  );
  assert.ok(!(await readdir(directory)).includes('identity'));
  const wrong = { passphrase: 'wrong horse' };
  await assert.rejects(openKeyring(directory, systemClock, wrong), (error: unknown) => {
    assert.ok(code('unauthenticated')(error) && isSlipwayError(error));
    assert.match(error.message, /passphrase is wrong/);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /horse|AGE-SECRET/);
    return true;
  });
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('unauthenticated'));
  const unprotected = join(home, 'unprotected');
  await openKeyring(unprotected, systemClock, PLAIN);
  await assert.rejects(openKeyring(unprotected, systemClock, options), code('invalid_state'));
});

test('swapped, changed and missing files are named', async () => {
  const directory = join(home, 'tamper');
  await openKeyring(directory, systemClock, PLAIN);
  const names = await readdir(directory);
  const file = (prefix: string) => join(directory, names.find((name) => name.startsWith(prefix))!);
  const build = await readFile(file('build-'));
  await copyFile(file('gate-'), file('build-'));
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('tampered'));
  const flipped = Buffer.from(build);
  flipped[flipped.length - 1]! ^= 1;
  await writeFile(file('build-'), flipped);
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('tampered'));
  await rm(file('build-'));
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('key_unknown'));
  await writeFile(file('build-'), build, { mode: 0o600 });
  await openKeyring(directory, systemClock, PLAIN);
  await writeFile(join(directory, 'keyring-1.json'), '{"version":1,"keys":[');
  await assert.rejects(openKeyring(directory, systemClock, PLAIN), code('tampered'));
});

test('no private key can be got from the ring by looking at it', async () => {
  const ring = await openKeyring(join(home, 'look'), systemClock, PLAIN);
  const shown =
    inspect(ring, { depth: 20, showHidden: true }) +
    inspect(ring.signer('build'), { depth: 20, showHidden: true });
  assert.doesNotMatch(shown, /PRIVATE|PrivateKeyObject|AGE-SECRET/);
  assert.doesNotMatch(JSON.stringify([ring, ring.signer('build'), ring.publicKeys()]), /PRIVATE|AGE-SECRET/);
});

test('a sealed text opens only unchanged, under its context, in its keyring', async () => {
  const ring = await openKeyring(join(home, 'seal'), systemClock, PLAIN);
  const other = await openKeyring(join(home, 'seal-other'), systemClock, PLAIN);
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(), (text, context, position) => {
      const sealed = ring.seal(text, context);
      assert.equal(ring.unseal(sealed, context), Buffer.from(text).toString());
      assert.notEqual(ring.seal(text, context), sealed);
      assert.throws(() => ring.unseal(sealed, `${context}.`), code('tampered'));
      assert.throws(() => other.unseal(sealed, context), code('tampered'));
      const i = position % sealed.length;
      const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
      assert.throws(() => ring.unseal(changed, context), code('tampered'));
      assert.throws(() => ring.unseal(sealed.slice(0, i), context), code('tampered'));
    }),
    { numRuns: 100 },
  );
});

test('rotation hands over, revocation ends; both keep the old public key', async () => {
  const directory = join(home, 'rotate');
  const day = 24 * 3600 * 1000;
  const old = await openKeyring(directory, at(1_000_500), PLAIN);
  assert.equal(await rotateKey(directory, 'build', at(2_000_000), PLAIN), 'build-2');
  const ring = await openKeyring(directory, at(2_000_000), PLAIN);
  assert.equal(ring.signer('build').keyName, 'build-2');
  assert.equal(ring.signer('gate').hint, old.signer('gate').hint);
  const retired = ring.publicKeys().find((key) => key.name === 'build')!;
  assert.equal(retired.validFromMs, 1_000_000);
  assert.equal(retired.validUntilMs, 2_000_000 + day);
  await revokeKey(directory, 'build-2', at(3_000_999), PLAIN);
  await revokeKey(directory, 'build-2', at(9_000_000), PLAIN);
  const revoked = await openKeyring(directory, at(3_001_000), PLAIN);
  assert.equal(revoked.publicKeys().find((key) => key.name === 'build-2')?.revokedAtMs, 3_000_000);
  assert.throws(() => revoked.signer('build'), code('key_unknown'));
  await assert.rejects(revokeKey(directory, 'ledger', at(1), PLAIN), code('invalid_state'));
  await assert.rejects(revokeKey(directory, 'nobody', at(1), PLAIN), code('key_unknown'));
});

test('of changes made at the same time one wins and the others say conflict', async () => {
  const directory = join(home, 'conflict');
  await openKeyring(directory, systemClock, PLAIN);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, () => rotateKey(directory, 'gate', systemClock, PLAIN)),
  );
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') assert.ok(code('conflict')(outcome.reason));
  const ring = await openKeyring(directory, systemClock, PLAIN);
  assert.equal(ring.publicKeys().filter((key) => key.purpose === 'gate').length, 1 + won);
  assert.ok(won >= 1);
});
