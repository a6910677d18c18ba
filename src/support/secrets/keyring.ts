import { type KeyObject, sign } from 'node:crypto';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { type FileCipher, openIdentity } from './identity.ts';
import {
  createKey,
  createSealKey,
  describeKey,
  loadBytes,
  loadPrivateKey,
  removeKeyFiles,
  writePublicPem,
} from './keys.ts';
import { type KeyRecord, type Manifest, readManifest, writeManifest } from './manifest.ts';
import { privateDirectory } from './permissions.ts';
import { seal, unseal } from './seal.ts';
import type { KeyPurpose, Keyring, LedgerSigner, Signer } from './types.ts';

export interface KeyringOptions {
  /** Default: SLIPWAY_KEYRING_PASSPHRASE. */
  passphrase?: string | undefined;
  scryptLogN?: number;
}

/**
 * Opens the keyring in `directory`, making it when there is none. Any number of processes may do so at once and any of
 * them may die at any point: the keys are those of the first manifest that was committed.
 * Errors: `forbidden` (permissions), `unauthenticated` (passphrase), `tampered`, `key_unknown`, `disk_full`.
 */
export async function openKeyring(
  directory: string,
  clock: Clock,
  options: KeyringOptions = {},
): Promise<Keyring> {
  const { cipher, manifest } = await openFiles(directory, clock, options);
  await writePublicPem(directory, manifest.keys);
  const sealKey = await loadBytes(directory, cipher, manifest.sealFile);
  const privateKeys = new Map<string, KeyObject>();
  for (const record of signingKeys(manifest.keys)) {
    privateKeys.set(record.name, await loadPrivateKey(directory, cipher, record));
  }
  const ledger = newestOf(manifest.keys, 'ledger');
  const ledgerKey = ledger && privateKeys.get(ledger.name);
  if (!ledger || !ledgerKey) throw new SlipwayError('key_unknown', 'the keyring has no ledger key');
  return {
    signer(purpose) {
      const record = newestOf(manifest.keys, purpose);
      const key = record && privateKeys.get(record.name);
      if (!record || !key) throw new SlipwayError('key_unknown', `the keyring has no ${purpose} key`);
      refuseUnlessValid(record, clock.nowMs());
      return signerOf(record, purpose, key);
    },
    ledgerSigner: ledgerSignerOf(ledger, ledgerKey),
    publicKeys: () => manifest.keys.map(describeKey),
    seal: (text, context = '') => seal(sealKey, text, context),
    unseal: (sealed, context = '') => unseal(sealKey, sealed, context),
  };
}

export async function openFiles(
  directory: string,
  clock: Clock,
  options: KeyringOptions,
): Promise<{ cipher: FileCipher; revision: number; manifest: Manifest }> {
  const passphrase = 'passphrase' in options ? options.passphrase : process.env.SLIPWAY_KEYRING_PASSPHRASE;
  await privateDirectory(directory);
  const cipher = await openIdentity(directory, passphrase || undefined, options.scryptLogN);
  const found = await readManifest(directory);
  if (found) return { cipher, ...found };
  await createManifest(directory, cipher, clock.nowMs());
  const made = await readManifest(directory);
  if (!made) throw new SlipwayError('internal', 'the keyring vanished while it was made');
  return { cipher, ...made };
}

async function createManifest(directory: string, cipher: FileCipher, nowMs: number): Promise<void> {
  const keys: KeyRecord[] = [];
  for (const purpose of ['build', 'gate', 'ledger'] as const) {
    keys.push(await createKey(directory, cipher, purpose, purpose, nowMs));
  }
  const manifest: Manifest = { version: 1, keys, sealFile: await createSealKey(directory, cipher) };
  if (await writeManifest(directory, 1, manifest)) return;
  await removeKeyFiles(directory, [...keys.map((key) => key.file), manifest.sealFile]);
}

/** The records in force, newest per purpose: only these private keys are ever decrypted. */
function signingKeys(records: readonly KeyRecord[]): KeyRecord[] {
  return (['build', 'gate', 'ledger'] as const).flatMap((purpose) => newestOf(records, purpose) ?? []);
}

/** Records stand in the order they were made. */
function newestOf(records: readonly KeyRecord[], purpose: KeyPurpose): KeyRecord | undefined {
  return records.findLast((record) => record.purpose === purpose);
}

function refuseUnlessValid(record: KeyRecord, nowMs: number): void {
  const ended = record.revokedAt ?? record.validUntil;
  if (ended !== null && Date.parse(ended) <= nowMs) {
    throw new SlipwayError('key_unknown', `key ${record.name} is no longer valid since ${ended}`, {
      hint: 'Rotate it, so that a new key takes over.',
    });
  }
}

function signerOf(record: KeyRecord, purpose: 'build' | 'gate', key: KeyObject): Signer {
  const { hint, spkiDer } = describeKey(record);
  return { keyName: record.name, purpose, hint, spkiDer, sign: (pae) => sign('sha256', pae, key) };
}

function ledgerSignerOf(record: KeyRecord, key: KeyObject): LedgerSigner {
  return {
    keyName: record.name,
    spkiDer: describeKey(record).spkiDer,
    sign: (text) => sign(null, text, key),
  };
}
