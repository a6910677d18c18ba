import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestHex, isDigest } from '../../../kernel/digest.ts';

export const MAX_CACHE_BYTES = 20 * 1024 ** 3;
/** Files without an index entry may belong to a build that is still writing. */
const YOUNG_MS = 60 * 60 * 1000;

/** Removes what was used longest ago until the cache fits, and files nobody names. Returns the bytes freed. */
export async function trimCache(
  directory: string,
  nowMs: number,
  maxBytes: number = MAX_CACHE_BYTES,
): Promise<{ freedBytes: number }> {
  const blobs = join(directory, 'blobs');
  const sizes = new Map<string, { size: number; mtimeMs: number }>();
  for (const name of await readdir(blobs).catch(() => [])) {
    const found = await stat(join(blobs, name)).catch(() => null);
    if (found) sizes.set(name, { size: found.size, mtimeMs: found.mtimeMs });
  }
  const entries = (
    await Promise.all(['steps', 'layers'].map((kind) => readIndex(join(directory, kind))))
  ).flat();
  entries.sort((a, b) => b.usedMs - a.usedMs);
  const kept = new Set<string>();
  let total = 0;
  for (const { path, names } of entries) {
    const added = names
      .filter((name) => !kept.has(name))
      .reduce((sum, name) => sum + (sizes.get(name)?.size ?? 0), 0);
    if (total + added > maxBytes) {
      await rm(path, { force: true });
      continue;
    }
    total += added;
    for (const name of names) kept.add(name);
  }
  let freedBytes = 0;
  for (const [name, { size, mtimeMs }] of sizes) {
    if (kept.has(name) || nowMs - mtimeMs < YOUNG_MS) continue;
    await rm(join(blobs, name), { force: true });
    freedBytes += size;
  }
  return { freedBytes };
}

async function readIndex(directory: string): Promise<{ path: string; usedMs: number; names: string[] }[]> {
  const found: { path: string; usedMs: number; names: string[] }[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    try {
      const text = await readFile(path, 'utf8');
      const names = [...text.matchAll(/sha256:[0-9a-f]{64}/g)]
        .map(([digest]) => digest)
        .filter(isDigest)
        .map(digestHex);
      found.push({ path, usedMs: (await stat(path)).mtimeMs, names });
    } catch {
      // removed meanwhile
    }
  }
  return found;
}
