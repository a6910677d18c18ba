import { openCheckpoint, strictBase64 } from './checkpoint.ts';
import type { LogIdentity } from './log.ts';
import { HASH_BYTES, leafHash, verifyConsistency, verifyInclusion } from './merkle.ts';

/** What a good proof proves. */
export interface ProvenEntry {
  index: number;
  size: number;
  /** Ledger time: the entry existed by then. */
  atMs: number;
  body: Buffer;
}

/** No tree of safe-integer size is higher. */
const MAX_PATH = 64;
const MAX_BODY_BASE64 = 4 * Math.ceil(65_535 / 3);

/**
 * Checks one proof offline, with nothing but the log's identity: no database, no network. The proof may come from
 * anywhere. A string says what is wrong.
 */
export function checkInclusionProof(proof: unknown, log: LogIdentity): ProvenEntry | string {
  if (!isRecord(proof)) return 'the proof is not an object';
  const { index, size, body: bodyText, root: rootText, checkpoint: note } = proof;
  if (!isCount(index) || !isCount(size)) return 'the proof has no valid index and size';
  if (typeof note !== 'string') return 'the proof carries no checkpoint';
  if (typeof bodyText !== 'string' || bodyText.length > MAX_BODY_BASE64)
    return 'the proof carries no entry of a valid size';
  const body = strictBase64(bodyText);
  if (!body) return 'the entry in the proof is not base64';
  const path = readHashes(proof.hashes);
  if (!path) return 'the hashes of the proof are malformed';
  const checkpoint = openCheckpoint(note, log);
  if (typeof checkpoint === 'string') return checkpoint;
  if (checkpoint.size !== size) return 'the proof and its checkpoint disagree about the size';
  if (rootText !== checkpoint.root.toString('base64'))
    return 'the proof and its checkpoint disagree about the root';
  if (!verifyInclusion(leafHash(body), index, size, path, checkpoint.root)) {
    return 'the entry is not in the log where the proof says';
  }
  return { index, size, atMs: checkpoint.atMs, body };
}

/** Checks that one signed checkpoint extends another, offline. Null when it does; a string says what is wrong. */
export function checkConsistency(
  older: string,
  newer: string,
  hashes: unknown,
  log: LogIdentity,
): string | null {
  const [from, to] = [openCheckpoint(older, log), openCheckpoint(newer, log)];
  if (typeof from === 'string') return from;
  if (typeof to === 'string') return to;
  const path = readHashes(hashes);
  if (!path) return 'the hashes of the proof are malformed';
  const consistent = verifyConsistency(from.size, to.size, from.root, to.root, path);
  return consistent ? null : `the log of ${to.size} entries does not extend the log of ${from.size}`;
}

function readHashes(value: unknown): Buffer[] | null {
  if (!Array.isArray(value) || value.length > MAX_PATH) return null;
  const hashes: Buffer[] = [];
  for (const text of value as unknown[]) {
    const bytes = typeof text === 'string' ? strictBase64(text) : null;
    if (bytes?.length !== HASH_BYTES) return null;
    hashes.push(bytes);
  }
  return hashes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
