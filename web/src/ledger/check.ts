import type { InclusionProof } from '../api/types.ts';
import { equal, fromBase64, hex, leafHash, verifyInclusion } from './merkle.ts';

/** One thing that was checked here. `ok: null`: this browser cannot check it. */
export interface Check {
  name: string;
  ok: boolean | null;
  detail: string;
}

interface LogKey {
  name: string;
  purpose: string;
  algorithm: string;
  pem: string;
}

/**
 * Checks an entry against the signed head of the log: the bytes hash to a leaf, the leaf is in the tree, the tree's root is
 * the one in the checkpoint, and the checkpoint is signed by the ledger key.
 */
export async function checkEntry(
  proof: InclusionProof,
  leafHashShown: string,
  keys: readonly LogKey[],
): Promise<Check[]> {
  if (globalThis.crypto?.subtle === undefined)
    return [
      {
        name: 'Checked in this browser',
        ok: null,
        detail:
          'a page that came over plain http from another machine may not use WebCrypto; use slipway ledger verify',
      },
    ];
  const body = fromBase64(proof.body);
  const root = fromBase64(proof.root);
  const hashes = proof.hashes.map(fromBase64);
  if (body === null || root === null || hashes.includes(null))
    return [{ name: 'The proof can be read', ok: false, detail: 'it is not base64' }];
  const leaf = await leafHash(body);
  const path = hashes.filter((one) => one !== null);
  const included = await verifyInclusion(leaf, proof.index, proof.size, path, root);
  const note = readNote(proof.checkpoint);
  const headed = note !== null && note.size === proof.size && equal(note.root, root);
  return [
    { name: 'The bytes hash to the leaf', ok: hex(leaf) === leafHashShown, detail: hex(leaf) },
    {
      name: `The leaf is entry ${proof.index} of ${proof.size}`,
      ok: included,
      detail: `${proof.hashes.length} hashes up to the root`,
    },
    { name: 'The root is the one in the checkpoint', ok: headed, detail: proof.root },
    await checkSignature(note, keys),
  ];
}

interface Note {
  text: string;
  origin: string;
  size: number;
  root: Uint8Array<ArrayBuffer>;
  signatures: { name: string; bytes: Uint8Array<ArrayBuffer> }[];
}

const MAX_NOTE = 16_384;

/** A C2SP signed note that holds a tlog-checkpoint; null when it is none. */
export function readNote(note: string): Note | null {
  const border = note.indexOf('\n\n');
  if (border < 0 || note.length > MAX_NOTE) return null;
  const text = note.slice(0, border + 1);
  const [origin = '', size = '', root = ''] = text.split('\n');
  const rootBytes = fromBase64(root);
  if (!/^\d{1,15}$/.test(size) || rootBytes?.length !== 32) return null;
  const signatures = note
    .slice(border + 2)
    .split('\n')
    .flatMap((line) => {
      const match = /^— (\S+) (\S+)$/.exec(line);
      const bytes = match?.[2] ? fromBase64(match[2]) : null;
      return match?.[1] && bytes ? [{ name: match[1], bytes }] : [];
    });
  return { text, origin, size: Number(size), root: rootBytes, signatures };
}

/** Four bytes of key id, then an Ed25519 signature over the text. */
const SIGNATURE_BYTES = 4 + 64;

async function checkSignature(note: Note | null, keys: readonly LogKey[]): Promise<Check> {
  const name = 'The checkpoint is signed by the ledger key';
  const key = keys.find((one) => one.purpose === 'ledger');
  if (note === null || key === undefined)
    return { name, ok: false, detail: 'there is no checkpoint or no ledger key' };
  const spki = fromBase64(key.pem.replace(/-----[^-]+-----|\s/g, ''));
  if (spki === null) return { name, ok: false, detail: 'the ledger key cannot be read' };
  let imported: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
  try {
    imported = await crypto.subtle.importKey('spki', spki, { name: 'Ed25519' }, false, ['verify']);
  } catch {
    return { name, ok: null, detail: 'this browser knows no Ed25519; use slipway ledger verify' };
  }
  const bytes = new TextEncoder().encode(note.text);
  for (const signature of note.signatures) {
    if (signature.name !== note.origin || signature.bytes.length !== SIGNATURE_BYTES) continue;
    if (await crypto.subtle.verify('Ed25519', imported, signature.bytes.slice(4), bytes))
      return { name, ok: true, detail: `${note.origin}, key ${key.name}` };
  }
  return { name, ok: false, detail: 'no signature on it fits the ledger key' };
}
