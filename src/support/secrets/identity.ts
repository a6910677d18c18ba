import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { SlipwayError } from '../../kernel/errors.ts';
import { createDurably } from '../../platform/durable.ts';
import { refuseIfShared } from './permissions.ts';

/** Encrypts and decrypts the files of one keyring. */
export interface FileCipher {
  encrypt(plain: Uint8Array): Promise<Uint8Array>;
  /** Throws `tampered` when the file is not for this identity or was changed. */
  decrypt(sealed: Uint8Array, name: string): Promise<Buffer>;
}

const PLAIN = 'identity';
const PROTECTED = 'identity.age';
/** age's own default: about half a second, once per process. */
const SCRYPT_LOG_N = 18;

/**
 * The age identity every private key is encrypted to. Without a passphrase it lies in `identity` (0600): that protects
 * backups of single files and nothing against the machine's root. With one, `identity.age` is useless without it.
 * Made once; of several processes that start together one wins and the rest read what it made.
 */
export async function openIdentity(
  directory: string,
  passphrase: string | undefined,
  scryptLogN = SCRYPT_LOG_N,
): Promise<FileCipher> {
  const existing = await findIdentity(directory);
  if (existing === null) await createIdentity(directory, passphrase, scryptLogN);
  const found = existing ?? (await findIdentity(directory));
  if (found === null) throw new SlipwayError('internal', 'the keyring identity vanished while it was made');
  const identity = await readIdentity(directory, found, passphrase);
  return fileCipher(identity, await identityToRecipient(identity));
}

async function findIdentity(directory: string): Promise<typeof PLAIN | typeof PROTECTED | null> {
  for (const name of [PROTECTED, PLAIN] as const) {
    try {
      await refuseIfShared(join(directory, name), 'file', '600');
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return null;
}

async function createIdentity(
  directory: string,
  passphrase: string | undefined,
  scryptLogN: number,
): Promise<void> {
  const identity = await generateX25519Identity();
  if (passphrase === undefined) {
    await createDurably(join(directory, PLAIN), `${identity}\n`);
    return;
  }
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(scryptLogN);
  await createDurably(join(directory, PROTECTED), await encrypter.encrypt(identity));
}

async function readIdentity(
  directory: string,
  name: string,
  passphrase: string | undefined,
): Promise<string> {
  const bytes = await readFile(join(directory, name));
  if (name === PLAIN) {
    if (passphrase !== undefined) {
      throw new SlipwayError('invalid_state', 'a passphrase is set, but this keyring was made without one', {
        hint: 'Unset SLIPWAY_KEYRING_PASSPHRASE; or start a new data directory with it set.',
      });
    }
    return bytes.toString('utf8').trim();
  }
  if (passphrase === undefined) {
    throw new SlipwayError('unauthenticated', 'the keyring needs its passphrase', {
      hint: 'Set SLIPWAY_KEYRING_PASSPHRASE to the passphrase the keyring was made with.',
    });
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(bytes, 'text');
  } catch {
    // The library's error is dropped: it may quote what it was given.
    throw new SlipwayError(
      'unauthenticated',
      'the keyring passphrase is wrong, or identity.age was changed',
      {
        hint: 'Check SLIPWAY_KEYRING_PASSPHRASE.',
      },
    );
  }
}

function fileCipher(identity: string, recipient: string): FileCipher {
  return {
    async encrypt(plain) {
      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      return await encrypter.encrypt(plain);
    },
    async decrypt(sealed, name) {
      try {
        const decrypter = new Decrypter();
        decrypter.addIdentity(identity);
        return Buffer.from(await decrypter.decrypt(sealed));
      } catch {
        throw new SlipwayError('tampered', `keyring file ${name} does not decrypt`, {
          hint: 'The file was changed or belongs to another keyring: restore the keys directory from its backup.',
        });
      }
    },
  };
}
