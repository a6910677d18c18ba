import { SlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { type KeyringOptions, openFiles } from './keyring.ts';
import { createKey, removeKeyFiles, wholeSecond, writePublicPem } from './keys.ts';
import { type KeyRecord, type Manifest, writeManifest } from './manifest.ts';

/** Processes that have the keyring open go on signing with the old key until they restart. */
const OVERLAP_MS = 24 * 3600 * 1000;

/**
 * Makes a new key of the purpose; the one before it stays valid for a day more, and what it signed till then for ever.
 * Returns the new key's name. The ledger key is the log's identity and has no rotation. `conflict`: try again.
 */
export async function rotateKey(
  directory: string,
  purpose: 'build' | 'gate',
  clock: Clock,
  options: KeyringOptions = {},
): Promise<string> {
  const { cipher, revision, manifest } = await openFiles(directory, clock, options);
  const nowMs = clock.nowMs();
  const count = manifest.keys.filter((key) => key.purpose === purpose).length;
  const record = await createKey(directory, cipher, purpose, `${purpose}-${count + 1}`, nowMs);
  const retired = manifest.keys.map((key) =>
    key.purpose === purpose && key.validUntil === null
      ? { ...key, validUntil: wholeSecond(nowMs + OVERLAP_MS) }
      : key,
  );
  try {
    await commit(directory, revision, { ...manifest, keys: [...retired, record] });
  } catch (error) {
    await removeKeyFiles(directory, [record.file]);
    throw error;
  }
  await writePublicPem(directory, [record]);
  return record.name;
}

/** From now on nothing the key signs counts; signatures the ledger holds from before do. Saying it twice changes nothing. */
export async function revokeKey(
  directory: string,
  name: string,
  clock: Clock,
  options: KeyringOptions = {},
): Promise<void> {
  const { revision, manifest } = await openFiles(directory, clock, options);
  const record = manifest.keys.find((key) => key.name === name);
  if (!record) throw new SlipwayError('key_unknown', `the keyring has no key ${name}`);
  if (record.purpose === 'ledger') {
    throw new SlipwayError(
      'invalid_state',
      'the ledger key is the identity of the log and cannot be revoked alone',
      {
        hint: 'Start a new data directory, and so a new log.',
      },
    );
  }
  if (record.revokedAt !== null) return;
  const revoke = (key: KeyRecord) =>
    key.name === name ? { ...key, revokedAt: wholeSecond(clock.nowMs()) } : key;
  await commit(directory, revision, { ...manifest, keys: manifest.keys.map(revoke) });
}

async function commit(directory: string, revision: number, manifest: Manifest): Promise<void> {
  if (await writeManifest(directory, revision + 1, manifest)) return;
  throw new SlipwayError('conflict', 'another process changed the keyring at the same time');
}
