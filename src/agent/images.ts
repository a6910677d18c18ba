import { execFile } from 'node:child_process';
import { renameSync } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Digest } from '../kernel/digest.ts';
import { digestHex, isDigest } from '../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Descriptor, RegistryClient } from '../platform/oci/types.ts';
import { unpackImage } from '../platform/unpack/image.ts';
import { type TreeIndex, treeDigest } from '../platform/unpack/tree-index.ts';
import { type VerifiedFiles, verifyTree } from '../platform/unpack/verify.ts';
import type { ImageRunConfig } from './command.ts';
import { diskError, syncDirectory } from './durable.ts';
import { LIMITS } from './limits.ts';
import { checkBytes, choosePlatform, INDEX_TYPES, parseConfig, parseManifest } from './manifest.ts';

/** An unpacked image whose every byte was checked now. */
export interface Image {
  rootfs: string;
  run: ImageRunConfig;
  treeDigest: Digest;
}

export interface ImageStore {
  /** It is unpacked here; says nothing about its bytes. */
  has(digest: Digest): Promise<boolean>;
  /** Pulls and unpacks unless that is done; many callers share one pull. */
  pull(repository: string, digest: Digest): Promise<void>;
  /** Checks manifest, config and tree against the digest; `tampered` or `digest_mismatch` name what differs. */
  verify(digest: Digest): Promise<Image>;
  /** Keeps a changed tree out of the way (as evidence), so that the next pull unpacks anew. */
  setAside(digest: Digest): Promise<void>;
  /** Removes images that are not in use, but the last few of each repository. `isUsed` is asked at the last moment. */
  collect(isUsed: (digest: Digest) => boolean): Promise<void>;
}

interface Complete {
  version: 1;
  repository: string;
  treeDigest: Digest;
  index: TreeIndex;
}

const MARKER = '.complete';
const STAGING = '.staging-';
const ASIDE = '.tampered-';

export async function openImageStore(
  directory: string,
  registry: RegistryClient,
  clock: Clock,
  log: Logger,
): Promise<ImageStore> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const name of await readdir(directory)) {
    if (name.startsWith(STAGING)) await removeTree(join(directory, name));
  }
  const pathOf = (digest: Digest) => join(directory, digestHex(digest));
  const pulls = new Map<Digest, Promise<void>>();
  const verified = new Map<Digest, VerifiedFiles>();

  async function has(digest: Digest): Promise<boolean> {
    return stat(join(pathOf(digest), MARKER)).then(
      () => true,
      () => false,
    );
  }

  async function pullAnew(repository: string, digest: Digest): Promise<void> {
    if (await has(digest)) return;
    const staging = join(directory, `${STAGING}${Buffer.from(clock.random(8)).toString('hex')}`);
    try {
      await mkdir(join(staging, 'rootfs'), { recursive: true });
      await unpackInto(staging, repository, digest, registry);
      await syncTree(staging);
      await rename(staging, pathOf(digest));
      await syncDirectory(directory);
      log.info({ repository, digest }, 'image unpacked');
    } catch (error) {
      throw diskError(error, staging);
    } finally {
      await removeTree(staging);
    }
  }

  return {
    has,
    pull(repository, digest) {
      const running = pulls.get(digest) ?? pullAnew(repository, digest).finally(() => pulls.delete(digest));
      pulls.set(digest, running);
      return running;
    },
    async verify(digest) {
      const known = verified.get(digest) ?? new Map<string, string>();
      verified.set(digest, known);
      const image = await verifyImage(pathOf(digest), digest, known);
      await utimes(pathOf(digest), clock.nowMs() / 1000, clock.nowMs() / 1000);
      return image;
    },
    async setAside(digest) {
      verified.delete(digest);
      // One is kept: the newest.
      for (const name of await readdir(directory)) {
        if (name.startsWith(ASIDE)) await removeTree(join(directory, name));
      }
      await rename(pathOf(digest), join(directory, `${ASIDE}${digestHex(digest)}`));
    },
    async collect(isUsed) {
      for (const digest of await surplus(directory, isUsed)) {
        const doomed = join(directory, `${STAGING}gone-${digestHex(digest)}`);
        // No instance can be accepted between the question and the rename: neither waits.
        if (isUsed(digest)) continue;
        // Renamed first: a half-removed tree must never look complete.
        renameSync(pathOf(digest), doomed);
        verified.delete(digest);
        await removeTree(doomed);
        log.info({ digest }, 'unused image removed');
      }
    },
  };
}

/** Everything but the rename: what a crash leaves of it is removed when the agent starts. */
async function unpackInto(
  staging: string,
  repository: string,
  digest: Digest,
  registry: RegistryClient,
): Promise<void> {
  const manifestBytes = await fetchManifest(repository, digest, registry, staging);
  const manifest = parseManifest(manifestBytes);
  const configBytes = await registry.getBlob(repository, manifest.config.digest, LIMITS.configBytes);
  checkBytes(configBytes, manifest.config.digest, 'image config');
  const { diffIds } = parseConfig(configBytes);
  if (diffIds.length !== manifest.layers.length) {
    throw new SlipwayError(
      'invalid_input',
      `The image has ${manifest.layers.length} layers but its config names ${diffIds.length}`,
    );
  }
  const layers = manifest.layers.map((descriptor: Descriptor, number) => ({
    descriptor,
    diffId: diffIds[number]!,
    open: () => registry.openBlob(repository, descriptor.digest),
  }));
  const index = await unpackImage(join(staging, 'rootfs'), layers);
  await writeFile(join(staging, 'manifest.json'), manifestBytes);
  await writeFile(join(staging, 'config.json'), configBytes);
  const complete: Complete = { version: 1, repository, treeDigest: treeDigest(index), index };
  await writeFile(join(staging, MARKER), JSON.stringify(complete));
}

/** The manifest of an image; of an index, that of this platform, whose index is kept beside it. */
async function fetchManifest(
  repository: string,
  digest: Digest,
  registry: RegistryClient,
  staging: string,
): Promise<Buffer> {
  const stored = await registry.getManifest(repository, digest);
  if (stored.bytes.length > LIMITS.manifestBytes)
    throw new SlipwayError('payload_too_large', 'The image manifest is too large');
  checkBytes(stored.bytes, digest, 'image manifest');
  if (!INDEX_TYPES.has(stored.mediaType)) return stored.bytes;
  const chosen = choosePlatform(stored.bytes);
  const inner = await registry.getManifest(repository, chosen.digest);
  checkBytes(inner.bytes, chosen.digest, 'image manifest');
  await writeFile(join(staging, 'index.json'), stored.bytes);
  return inner.bytes;
}

async function verifyImage(path: string, digest: Digest, known: VerifiedFiles): Promise<Image> {
  const rootfs = join(path, 'rootfs');
  try {
    const manifestBytes = await readFile(join(path, 'manifest.json'));
    const indexBytes = await readFile(join(path, 'index.json')).catch(() => null);
    if (indexBytes === null) checkBytes(manifestBytes, digest, 'image manifest');
    else {
      checkBytes(indexBytes, digest, 'image index');
      checkBytes(manifestBytes, choosePlatform(indexBytes).digest, 'image manifest');
    }
    const manifest = parseManifest(manifestBytes);
    const configBytes = await readFile(join(path, 'config.json'));
    checkBytes(configBytes, manifest.config.digest, 'image config');
    const complete = JSON.parse(await readFile(join(path, MARKER), 'utf8')) as Complete;
    if (treeDigest(complete.index) !== complete.treeDigest)
      throw new SlipwayError('tampered', 'The list of unpacked files was changed');
    await verifyTree(rootfs, complete.index, known);
    return { rootfs, run: parseConfig(configBytes).run, treeDigest: complete.treeDigest };
  } catch (error) {
    if (isSlipwayError(error) || (error as { code?: string }).code === 'ENOSPC') throw error;
    throw new SlipwayError(
      'tampered',
      `The unpacked image ${digest} cannot be read: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Unused images beyond the newest few of their repository. */
async function surplus(directory: string, isUsed: (digest: Digest) => boolean): Promise<Digest[]> {
  const byRepository = new Map<string, { digest: Digest; usedAtMs: number }[]>();
  for (const name of await readdir(directory)) {
    const digest = `${name.length === 128 ? 'sha512' : 'sha256'}:${name}`;
    if (!isDigest(digest) || isUsed(digest)) continue;
    const found = await stat(join(directory, name)).catch(() => null);
    if (found === null) continue;
    const repository = await repositoryOf(join(directory, name));
    const images = byRepository.get(repository) ?? [];
    byRepository.set(repository, [...images, { digest, usedAtMs: found.mtimeMs }]);
  }
  const newestFirst = (images: { digest: Digest; usedAtMs: number }[]) =>
    images.sort((a, b) => b.usedAtMs - a.usedAtMs);
  return [...byRepository.values()].flatMap((images) =>
    newestFirst(images)
      .slice(LIMITS.keptImages)
      .map(({ digest }) => digest),
  );
}

/** Empty when the marker cannot be read: such images share one allowance. */
async function repositoryOf(image: string): Promise<string> {
  try {
    return (JSON.parse(await readFile(join(image, MARKER), 'utf8')) as Complete).repository;
  } catch {
    return '';
  }
}

/** One sync of the file system instead of one a file; a file at a time where `sync -f` is missing. */
async function syncTree(directory: string): Promise<void> {
  try {
    await promisify(execFile)('sync', ['-f', directory], { timeout: 120_000 });
  } catch {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() && !entry.isDirectory()) continue;
      const file = await open(join(entry.parentPath, entry.name), 'r');
      await file.sync().finally(() => file.close());
    }
  }
}

/** Directories of an image are read-only, so they are opened up before their content can be removed. */
async function removeTree(path: string): Promise<void> {
  const unlock = async (directory: string): Promise<void> => {
    await chmod(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) await unlock(join(directory, entry.name));
    }
  };
  try {
    await unlock(path);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return;
    throw error;
  }
  await rm(path, { recursive: true, force: true });
}
