import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../../kernel/canonical.ts';
import { type Digest, digestHex, isDigest } from '../../../kernel/digest.ts';
import { hashFile } from '../tree/hash.ts';
import type { Seal } from './key.ts';

const MAX_INDEX_BYTES = 1024 * 1024;

/** A stored file, by the digest of its bytes. */
export interface StoredFile {
  digest: Digest;
  size: number;
}

/** What looking something up found. `dropped`: there was an entry, but it could not be trusted and is gone now. */
export type Lookup<Value> =
  | { kind: 'hit'; value: Value }
  | { kind: 'miss' }
  | { kind: 'dropped'; reason: string };

/**
 * A directory of sealed index entries (`<kind>/<key>.json`) that name content-addressed files (`blobs/<hex>`). An entry is
 * used only when its seal, its key and the bytes of every file it names are right; anything else is removed and counts as
 * absent. Entries are replaced whole, so a crash leaves the old one, the new one or none.
 */
export interface CacheIndex {
  blobs: string;
  blobPath(digest: Digest): string;
  /** `files` gives the stored files a value stands on; `parse` returns null for a value of another shape. */
  find<Value>(kind: string, key: Digest, shape: CacheShape<Value>, nowMs: number): Promise<Lookup<Value>>;
  put(kind: string, key: Digest, value: unknown): Promise<void>;
}

export interface CacheShape<Value> {
  parse(value: unknown): Value | null;
  files(value: Value): readonly StoredFile[];
}

export async function openCacheIndex(directory: string, seal: Seal): Promise<CacheIndex> {
  const blobs = join(directory, 'blobs');
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  const blobPath = (digest: Digest) => join(blobs, digestHex(digest));
  const indexPath = (kind: string, key: Digest) => join(directory, kind, `${digestHex(key)}.json`);
  return {
    blobs,
    blobPath,
    async find(kind, key, shape, nowMs) {
      const path = indexPath(kind, key);
      const text = await readFile(path, 'utf8').catch(() => null);
      if (text === null) return { kind: 'miss' };
      const read = text.length > MAX_INDEX_BYTES ? 'is too large' : readEntry(text, key, seal, shape);
      const problem = typeof read === 'string' ? read : await checkFiles(shape.files(read.value), blobPath);
      if (typeof read === 'string' || problem !== null) {
        await rm(path, { force: true });
        return { kind: 'dropped', reason: `the cache entry ${problem}` };
      }
      // What was used last is trimmed last.
      await utimes(path, nowMs / 1000, nowMs / 1000).catch(() => {});
      return { kind: 'hit', value: read.value };
    },
    async put(kind, key, value) {
      const path = indexPath(kind, key);
      await mkdir(join(directory, kind), { recursive: true, mode: 0o700 });
      const body = canonicalJson({ key, value });
      const unfinished = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.partial`;
      await writeFile(unfinished, canonicalJson({ body, mac: seal.sign(body) }), { mode: 0o600 });
      await rename(unfinished, path);
    },
  };
}

function readEntry<Value>(
  text: string,
  key: Digest,
  seal: Seal,
  shape: CacheShape<Value>,
): { value: Value } | string {
  try {
    const { body, mac } = JSON.parse(text) as { body: unknown; mac: unknown };
    if (typeof body !== 'string' || typeof mac !== 'string' || !seal.verify(body, mac)) return 'is not ours';
    const content = JSON.parse(body) as { key: unknown; value: unknown };
    if (content.key !== key) return 'belongs to another key';
    const value = shape.parse(content.value);
    return value === null ? 'has another shape' : { value };
  } catch {
    return 'does not parse';
  }
}

/** Re-hashes every file. A wrong one is removed: its name promises other bytes. */
async function checkFiles(
  files: readonly StoredFile[],
  blobPath: (digest: Digest) => string,
): Promise<string | null> {
  for (const { digest, size } of files) {
    if (!isDigest(digest)) return 'names no digest';
    const found = await hashFile(blobPath(digest)).catch(() => null);
    if (found === null) return `lacks ${digest}`;
    if (found.size === size && `sha256:${found.sha256}` === digest) continue;
    await rm(blobPath(digest), { force: true });
    return `holds other bytes than ${digest}`;
  }
  return null;
}
