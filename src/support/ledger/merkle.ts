import { hash } from 'node:crypto';

/** RFC 6962 section 2.1 hashing; the 0x00 and 0x01 prefixes keep a node from passing for a leaf. */
export const HASH_BYTES = 32;

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

export function leafHash(body: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([LEAF, body]), 'buffer');
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([NODE, left, right]), 'buffer');
}

/** The root of the empty tree. */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer');

/**
 * A tree that grows at its right end, held as the roots of its perfect subtrees, widest first: log2(size) hashes.
 */
export interface CompactTree {
  size: number;
  peaks: Buffer[];
}

export function emptyTree(): CompactTree {
  return { size: 0, peaks: [] };
}

/** Appends in place. */
export function appendLeaf(tree: CompactTree, leaf: Buffer): void {
  let carry = leaf;
  for (let size = tree.size; size % 2 === 1; size = (size - 1) / 2)
    carry = nodeHash(tree.peaks.pop() as Buffer, carry);
  tree.peaks.push(carry);
  tree.size += 1;
}

export function rootOf(tree: CompactTree): Buffer {
  if (tree.peaks.length === 0) return EMPTY_ROOT;
  return tree.peaks.reduceRight((right, left) => nodeHash(left, right));
}

/** The largest power of two smaller than `n`, for n > 1: where RFC 6962 splits a tree. */
export function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** RFC 9162 section 2.1.3.2. `proof` comes from outside; its length is bounded by the tree's height. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isIndex(index) || !isIndex(size) || index >= size) return false;
  let fn = index;
  let sn = size - 1;
  let r: Uint8Array = leaf;
  for (const p of proof) {
    if (sn === 0 || p.length !== HASH_BYTES) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      r = nodeHash(r, p);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equal(r, root);
}

/** RFC 9162 section 2.1.4.2: the tree of `from` leaves is the beginning of the tree of `to` leaves. */
export function verifyConsistency(
  from: number,
  to: number,
  fromRoot: Uint8Array,
  toRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isIndex(from) || !isIndex(to) || from > to) return false;
  if (from === to) return proof.length === 0 && equal(fromRoot, toRoot);
  if (from === 0) return proof.length === 0 && equal(fromRoot, EMPTY_ROOT);
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined || first.length !== HASH_BYTES) return false;
  let fn = from - 1;
  let sn = to - 1;
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let fr: Uint8Array = first;
  let sr: Uint8Array = first;
  for (const c of path) {
    if (sn === 0 || c.length !== HASH_BYTES) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      sr = nodeHash(sr, c);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equal(fr, fromRoot) && equal(sr, toRoot);
}

/** Halves without the 32-bit limit of the shift operators. */
function half(n: number): number {
  return Math.floor(n / 2);
}

function isIndex(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

function isPowerOfTwo(n: number): boolean {
  while (n % 2 === 0 && n > 1) n /= 2;
  return n === 1;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
