import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Api } from '../api/client.ts';
import type { Context } from '../context.ts';
import { usage } from '../errors.ts';
import { keyId, type Note, readLogKey, readNote, type SignedHead, verifyNote } from './checkpoint.ts';

/** The keys a checkpoint may be signed with, and the name the log must have. */
export interface LogTrust {
  origin: string;
  keys: readonly KeyObject[];
  /** The person gave the key; else it is what the server shows, which proves less. */
  pinned: boolean;
}

export async function readTrust(context: Context, api: Api, keyFile: string | undefined): Promise<LogTrust> {
  const shown = await api.call(api.client.GET('/v1/ledger/keys'));
  if (keyFile !== undefined) {
    const pem = await readFile(resolve(context.io.cwd, keyFile), 'utf8').catch(
      (error: NodeJS.ErrnoException) => {
        throw usage(`the key ${keyFile} cannot be read: ${error.code}`);
      },
    );
    const key = readLogKey(pem);
    if (key === null) throw usage(`${keyFile} holds no Ed25519 public key in PEM`);
    return { origin: shown.origin, keys: [key], pinned: true };
  }
  const keys = shown.keys
    .filter(({ purpose, revokedAt }) => purpose === 'ledger' && revokedAt === null)
    .map(({ pem }) => readLogKey(pem));
  const known = keys.filter((key) => key !== null);
  if (known.length === 0)
    throw new SlipwayError('key_unknown', 'the server shows no key of the ledger that is in force');
  return { origin: shown.origin, keys: known, pinned: false };
}

/** The head a note signs. Throws `tampered` for anything but a good signature of a trusted key. */
export function openHead(
  text: string,
  trust: LogTrust,
  what = 'the checkpoint',
): SignedHead & { key: KeyObject } {
  const note = readNote(text);
  if (typeof note === 'string') throw new SlipwayError('tampered', `${what} cannot be read: ${note}`);
  const key =
    trust.keys.find((candidate) => signs(note, candidate, trust.origin)) ?? (trust.keys[0] as KeyObject);
  const head = verifyNote(note, key, trust.origin);
  if (typeof head === 'string') throw new SlipwayError('tampered', `${what} does not hold: ${head}`);
  return { ...head, key };
}

function signs(note: Note, key: KeyObject, origin: string): boolean {
  return note.signatures.some(({ bytes }) => bytes.subarray(0, 4).equals(keyId(origin, 0x01, key)));
}
