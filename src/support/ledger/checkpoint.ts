import { verify } from 'node:crypto';
import type { LogIdentity, LogSigner } from './log.ts';
import { HASH_BYTES } from './merkle.ts';

/** What a checkpoint says once its signatures were found good. */
export interface Checkpoint {
  size: number;
  root: Buffer;
  /** When it was signed, whole seconds: an entry below `size` existed by then. */
  atMs: number;
}

/** A signed note longer than this is not looked at. */
export const MAX_NOTE_BYTES = 16 * 1024;
const MAX_SIGNATURES = 64;

/**
 * Signs a C2SP tlog-checkpoint as a signed note with two signatures of the log's key: the plain one, and a
 * cosignature/v1 that carries the time, which makes ledger time provable offline.
 */
export function signCheckpoint(log: LogSigner, size: number, root: Buffer, atMs: number): string {
  const text = `${log.origin}\n${size}\n${root.toString('base64')}\n`;
  const seconds = Math.floor(atMs / 1000);
  const plain = Buffer.concat([log.keyId.subarray(0, 4), log.sign(Buffer.from(text))]);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const timed = Buffer.concat([log.cosignatureKeyId, time, log.sign(cosigned(seconds, text))]);
  return `${text}\n${signatureLine(log, plain)}${signatureLine(log, timed)}`;
}

function signatureLine(log: LogIdentity, signature: Buffer): string {
  return `— ${log.origin} ${signature.toString('base64')}\n`;
}

function cosigned(seconds: number | bigint, text: string): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}

/**
 * Reads a note that may come from anywhere. It must be this log's, with both signatures of its key good; signatures of
 * others (witnesses) may stand beside them and are not judged. A string says what is wrong.
 */
export function openCheckpoint(note: string, log: LogIdentity): Checkpoint | string {
  if (note.length > MAX_NOTE_BYTES) return 'the checkpoint is too long';
  const border = note.indexOf('\n\n');
  if (border === -1) return 'the checkpoint has no signatures';
  const text = note.slice(0, border + 1);
  const [origin, sizeText = '', rootText = '', ...rest] = text.split('\n');
  if (origin !== log.origin) return 'the checkpoint is of another log';
  if (rest.length !== 1) return 'the checkpoint does not have three lines';
  const size = Number(sizeText);
  if (!/^(0|[1-9]\d{0,15})$/.test(sizeText) || !Number.isSafeInteger(size))
    return 'the checkpoint has no valid size';
  const root = strictBase64(rootText);
  if (root?.length !== HASH_BYTES) return 'the checkpoint has no valid root';
  const signatures = readSignatures(note.slice(border + 2), log.origin);
  if (typeof signatures === 'string') return signatures;
  return judge(text, signatures, log, size, root);
}

function readSignatures(block: string, name: string): Buffer[] | string {
  const lines = block.split('\n');
  if (lines.pop() !== '') return 'the checkpoint does not end with a newline';
  if (lines.length === 0 || lines.length > MAX_SIGNATURES)
    return 'the checkpoint has no reasonable number of signatures';
  const ours: Buffer[] = [];
  for (const line of lines) {
    const match = /^— (\S+) (\S+)$/.exec(line);
    const bytes = match && strictBase64(match[2] as string);
    if (!match || !bytes || bytes.length < 5) return 'a signature line of the checkpoint is malformed';
    if (match[1] === name) ours.push(bytes);
  }
  return ours;
}

function judge(
  text: string,
  signatures: Buffer[],
  log: LogIdentity,
  size: number,
  root: Buffer,
): Checkpoint | string {
  const key = { key: log.spkiDer, type: 'spki', format: 'der' } as const;
  const find = (keyId: Buffer) => signatures.find((bytes) => bytes.subarray(0, 4).equals(keyId));
  const plain = find(log.keyId.subarray(0, 4));
  if (!plain) return 'the checkpoint is not signed by the ledger key';
  if (!verify(null, Buffer.from(text), key, plain.subarray(4)))
    return 'the signature of the checkpoint is wrong';
  const timed = find(log.cosignatureKeyId);
  if (timed?.length !== 4 + 8 + 64) return 'the checkpoint carries no signed time';
  const seconds = timed.readBigUInt64BE(4);
  if (!verify(null, cosigned(seconds, text), key, timed.subarray(12)))
    return 'the signed time of the checkpoint is wrong';
  const atMs = Number(seconds) * 1000;
  if (!Number.isSafeInteger(atMs)) return 'the signed time of the checkpoint is out of range';
  return { size, root, atMs };
}

/** Null unless the text is exactly what encoding its bytes gives, so no two texts mean the same. */
export function strictBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
