import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

/** The head of a log, as its note says it; nothing of it is believed before `verifyNote`. */
export interface Note {
  origin: string;
  size: number;
  root: Buffer;
  /** The signed bytes. */
  text: string;
  signatures: readonly { name: string; bytes: Buffer }[];
}

export interface SignedHead extends Note {
  /** Signed time in milliseconds, whole seconds. */
  atMs: number;
}

const MAX_NOTE = 65_536;
const MAX_SIGNATURES = 64;

/** Reads a C2SP tlog-checkpoint (a signed note). A string says what is wrong. */
export function readNote(note: string): Note | string {
  if (note.length > MAX_NOTE) return 'it is too long';
  const border = note.indexOf('\n\n');
  if (border < 0) return 'it has no signatures';
  const text = note.slice(0, border + 1);
  const [origin = '', sizeText = '', rootText = ''] = text.split('\n');
  const size = Number(sizeText);
  const root = strictBase64(rootText);
  if (origin === '' || /\s/.test(origin)) return 'it has no origin';
  if (!/^(0|[1-9]\d{0,15})$/.test(sizeText) || !Number.isSafeInteger(size)) return 'its size is no number';
  if (root?.length !== 32) return 'its root is no hash';
  const lines = note.slice(border + 2).split('\n');
  if (lines.pop() !== '' || lines.length === 0 || lines.length > MAX_SIGNATURES)
    return 'its signatures are malformed';
  const signatures: { name: string; bytes: Buffer }[] = [];
  for (const line of lines) {
    const [, name, encoded = ''] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = strictBase64(encoded);
    if (name === undefined || bytes === null || bytes.length < 5) return 'a signature line is malformed';
    signatures.push({ name, bytes });
  }
  return { origin, size, root, text, signatures };
}

/** The note, once a signature of exactly this Ed25519 key under exactly this origin was found good. A string says why not. */
export function verifyNote(note: Note, key: KeyObject, origin: string): SignedHead | string {
  if (note.origin !== origin) return `it is of another log (${note.origin})`;
  const own = note.signatures.filter(({ name }) => name === origin).map(({ bytes }) => bytes);
  const plain = withKeyId(own, keyId(origin, 0x01, key));
  if (plain === undefined) return 'it is not signed by this key';
  if (!verify(null, Buffer.from(note.text), key, plain)) return 'its signature is wrong';
  const timed = withKeyId(own, keyId(origin, 0x04, key));
  if (timed?.length !== 8 + 64) return 'it carries no signed time';
  const seconds = timed.readBigUInt64BE(0);
  if (!verify(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${note.text}`), key, timed.subarray(8)))
    return 'its signed time is wrong';
  return { ...note, atMs: Number(seconds) * 1_000 };
}

function withKeyId(signatures: readonly Buffer[], id: Buffer): Buffer | undefined {
  return signatures.find((bytes) => bytes.subarray(0, 4).equals(id))?.subarray(4);
}

/** First 4 bytes of sha256(origin, newline, kind, raw key): C2SP signed-note (0x01) and tlog-cosignature (0x04). */
export function keyId(origin: string, kind: 0x01 | 0x04, key: KeyObject): Buffer {
  const raw = key.export({ type: 'spki', format: 'der' }).subarray(-32);
  return createHash('sha256')
    .update(`${origin}\n`)
    .update(Buffer.from([kind]))
    .update(raw)
    .digest()
    .subarray(0, 4);
}

/** An Ed25519 public key from PEM; null for anything else. */
export function readLogKey(pem: string): KeyObject | null {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === 'ed25519' ? key : null;
  } catch {
    return null;
  }
}

/** Null unless the text is exactly what encoding its bytes gives. */
export function strictBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
