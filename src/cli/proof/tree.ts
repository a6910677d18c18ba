import { createHash } from 'node:crypto';

/** Checking proofs of a Merkle log (RFC 9162 section 2.1), written for the client alone: it trusts no server. */

const HASH_BYTES = 32;

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

export const EMPTY_ROOT: Buffer = sha256();

export function leafHash(body: Uint8Array): Buffer {
  return sha256(LEAF, body);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(NODE, left, right);
}

/**
 * The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2); null for a proof that does not fit index and
 * size. All arguments come from outside.
 */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Buffer | null {
  if (!isCount(index) || !isCount(size) || index >= size) return null;
  let fn = index;
  let sn = size - 1;
  let root = Buffer.from(leaf);
  for (const sibling of proof) {
    if (sn === 0 || sibling.length !== HASH_BYTES) return null;
    if (fn % 2 === 1 || fn === sn) {
      root = nodeHash(sibling, root) as Buffer<ArrayBuffer>;
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      root = nodeHash(root, sibling) as Buffer<ArrayBuffer>;
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 ? root : null;
}

/** Whether the log of `to` entries begins with the log of `from` (RFC 9162 section 2.1.4.2). */
export function isConsistent(
  from: { size: number; root: Uint8Array },
  to: { size: number; root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isCount(from.size) || !isCount(to.size) || from.size > to.size) return false;
  if (from.size === to.size) return proof.length === 0 && same(from.root, to.root);
  if (from.size === 0) return proof.length === 0 && same(from.root, EMPTY_ROOT);
  const path = isPowerOfTwo(from.size) ? [from.root, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined || first.length !== HASH_BYTES) return false;
  let fn = from.size - 1;
  let sn = to.size - 1;
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let old: Uint8Array = first;
  let grown: Uint8Array = first;
  for (const sibling of path) {
    if (sn === 0 || sibling.length !== HASH_BYTES) return false;
    if (fn % 2 === 1 || fn === sn) {
      old = nodeHash(sibling, old);
      grown = nodeHash(sibling, grown);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      grown = nodeHash(grown, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && same(old, from.root) && same(grown, to.root);
}

function isCount(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

/** Halves without the 32-bit limit of the shift operators. */
function half(n: number): number {
  return Math.floor(n / 2);
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(Math.log2(n)) && 2 ** Math.round(Math.log2(n)) === n;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
