import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { canonicalJson } from '../../../kernel/canonical.ts';
import { type Digest, isDigest, sha256 } from '../../../kernel/digest.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { packArchive } from '../image/pack.ts';
import type { TestCounts } from '../reports/types.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { CacheIndex, CacheShape, Lookup, StoredFile } from './index.ts';

/** What a finished step leaves: the list of its outputs, an archive with their bytes, what its tests said. */
export interface StoredStep {
  entries: StoredFile;
  archive: StoredFile;
  report: TestCounts | null;
  /** The build that ran it, and when. */
  buildId: string;
  atMs: number;
}

const SHAPE: CacheShape<StoredStep> = {
  parse(value) {
    const step = value as StoredStep;
    const files = [step?.entries, step?.archive];
    return files.every((file) => typeof file?.size === 'number' && isDigest(String(file.digest)))
      ? step
      : null;
  },
  files: (step) => [step.entries, step.archive],
};

export function findStep(cache: CacheIndex, key: Digest, nowMs: number): Promise<Lookup<StoredStep>> {
  return cache.find('steps', key, SHAPE, nowMs);
}

export async function readOutputs(cache: CacheIndex, step: StoredStep): Promise<TreeEntry[]> {
  return JSON.parse(await readFile(cache.blobPath(step.entries.digest), 'utf8')) as TreeEntry[];
}

/** Stores the outputs that lie in `tree` and names them under the key. */
export async function storeStep(
  cache: CacheIndex,
  key: Digest,
  outputs: { entries: readonly TreeEntry[]; tree: string },
  facts: Pick<StoredStep, 'report' | 'buildId' | 'atMs'>,
): Promise<StoredStep> {
  const inputs = outputs.entries.map((entry) => ({ entry, host: join(outputs.tree, entry.path) }));
  const scratch = `${facts.buildId}-${key.slice(7, 23)}`;
  const packed = await packArchive(cache.blobs, scratch, inputs, { mtimeS: 0, compression: 'zstd' });
  const list = Buffer.from(canonicalJson(outputs.entries));
  const entries = { digest: sha256(list), size: list.length };
  const unfinished = join(cache.blobs, `${scratch}.list.partial`);
  await writeFile(unfinished, list, { mode: 0o600 });
  await rename(unfinished, cache.blobPath(entries.digest));
  const step: StoredStep = { entries, archive: { digest: packed.digest, size: packed.size }, ...facts };
  await cache.put('steps', key, step);
  return step;
}

/**
 * Writes the wanted files of a stored step below `destination`, whose directories exist. Only regular files whose path
 * is wanted are written, each to a new file, so nothing in the archive can reach outside.
 */
export async function writeOutputs(
  cache: CacheIndex,
  step: StoredStep,
  wanted: ReadonlySet<string>,
  destination: string,
): Promise<void> {
  const unpack = extract();
  const reading = pipeline(
    createReadStream(cache.blobPath(step.archive.digest)),
    createZstdDecompress(),
    unpack,
  );
  reading.catch(() => {});
  let written = 0;
  for await (const entry of unpack) {
    const { type, name, mode } = entry.header;
    if (type !== 'file' || !wanted.has(name)) {
      entry.resume();
      continue;
    }
    const path = join(destination, name);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'wx', mode ?? 0o644);
    try {
      for await (const chunk of entry) await file.writeFile(chunk as Buffer);
    } finally {
      await file.close();
    }
    written++;
  }
  await reading;
  if (written < wanted.size)
    throw new SlipwayError('tampered', 'a cached archive lacks files that its list names');
}
