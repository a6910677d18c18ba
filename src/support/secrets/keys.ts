import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import { createDurably, writeDurably } from '../../platform/durable.ts';
import type { FileCipher } from './identity.ts';
import type { KeyRecord } from './manifest.ts';
import { refuseIfShared } from './permissions.ts';
import type { KeyPurpose, PublicKeyInfo } from './types.ts';

/** Makes a key pair and writes its private half, encrypted; it counts only once a manifest names it. */
export async function createKey(
  directory: string,
  cipher: FileCipher,
  purpose: KeyPurpose,
  name: string,
  nowMs: number,
): Promise<KeyRecord> {
  const { privateKey, publicKey } =
    purpose === 'ledger'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const file = `${name}-${createHash('sha256').update(spki).digest('hex').slice(0, 12)}.key.age`;
  await writeEncrypted(directory, cipher, file, privateKey.export({ type: 'pkcs8', format: 'der' }));
  return {
    name,
    purpose,
    algorithm: purpose === 'ledger' ? 'ed25519' : 'ecdsa-p256',
    file,
    publicKey: spki.toString('base64'),
    validFrom: wholeSecond(nowMs),
    validUntil: null,
    revokedAt: null,
  };
}

/** 32 random bytes for `seal`. */
export async function createSealKey(directory: string, cipher: FileCipher): Promise<string> {
  const file = `seal-${randomBytes(6).toString('hex')}.key.age`;
  await writeEncrypted(directory, cipher, file, randomBytes(32));
  return file;
}

async function writeEncrypted(
  directory: string,
  cipher: FileCipher,
  file: string,
  plain: Buffer,
): Promise<void> {
  const encrypted = await cipher.encrypt(plain);
  plain.fill(0);
  if (!(await createDurably(join(directory, file), encrypted))) {
    throw new SlipwayError('conflict', `${file} is already in the keyring`);
  }
}

/** Removes what a lost race left behind; nothing names these files. */
export async function removeKeyFiles(directory: string, files: readonly string[]): Promise<void> {
  await Promise.all(files.map((file) => rm(join(directory, file), { force: true })));
}

/** The private key of a record, checked to be the half of its public key. */
export async function loadPrivateKey(
  directory: string,
  cipher: FileCipher,
  record: KeyRecord,
): Promise<KeyObject> {
  const der = await loadBytes(directory, cipher, record.file);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
  } catch {
    throw new SlipwayError('tampered', `keyring file ${record.file} holds no private key`);
  } finally {
    der.fill(0);
  }
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  if (spki.toString('base64') !== record.publicKey) {
    throw new SlipwayError('tampered', `the private key of ${record.name} does not belong to its public key`);
  }
  return key;
}

export async function loadBytes(directory: string, cipher: FileCipher, file: string): Promise<Buffer> {
  const path = join(directory, file);
  try {
    await refuseIfShared(path, 'file', '600');
    return await cipher.decrypt(await readFile(path), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new SlipwayError('key_unknown', `keyring file ${file} is missing`, {
      hint: 'Restore the keys directory from its backup.',
    });
  }
}

export function describeKey(record: KeyRecord): PublicKeyInfo {
  const spkiDer = Buffer.from(record.publicKey, 'base64');
  const at = (text: string | null) => (text === null ? null : Date.parse(text));
  return {
    name: record.name,
    purpose: record.purpose,
    algorithm: record.algorithm,
    spkiDer,
    hint: createHash('sha256').update(spkiDer).digest('base64'),
    pem: createPublicKey({ key: spkiDer, type: 'spki', format: 'der' })
      .export({ type: 'spki', format: 'pem' })
      .toString(),
    validFromMs: Date.parse(record.validFrom),
    validUntilMs: at(record.validUntil),
    revokedAtMs: at(record.revokedAt),
  };
}

/** Public keys beside the private ones, for people and for `cosign --key`. Derived, so written again when missing. */
export async function writePublicPem(directory: string, records: readonly KeyRecord[]): Promise<void> {
  for (const record of records) {
    const path = join(directory, `${record.name}.pub`);
    const { pem } = describeKey(record);
    const present = await readFile(path, 'utf8').catch(() => null);
    if (present !== pem) await writeDurably(path, pem, 0o644);
  }
}

/** Rounded down, so that a signature is never older than its key nor newer than its revocation by a fraction. */
export function wholeSecond(nowMs: number): string {
  return new Date(Math.floor(nowMs / 1000) * 1000).toISOString();
}
