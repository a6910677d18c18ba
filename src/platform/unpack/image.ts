import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type Digest, digestHex } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Descriptor } from '../oci/types.ts';
import { invalid } from './invalid.ts';
import { applyLayer, startUnpacking } from './layer.ts';
import { UNPACK_LIMITS, type UnpackLimits } from './limits.ts';
import { refuseEscapes } from './tree.ts';
import { indexOf, sealDirectories, type TreeIndex } from './tree-index.ts';

export interface LayerSource {
  descriptor: Descriptor;
  /** Digest of the uncompressed layer, as the image's config states it. */
  diffId: Digest;
  open(): Promise<Readable>;
}

/** A registry that sends nothing for this long is `timeout`. */
const STALL_MS = 60_000;

/**
 * Unpacks layers, lowest first, into the empty directory `directory`; gives the index of what was written. Every layer is
 * checked against its descriptor (size, digest) and its diff id while it is read: on any mismatch (`digest_mismatch`) or
 * refused archive (`invalid_input`) the directory must be thrown away. Nothing is synced to disk here.
 */
export async function unpackImage(
  directory: string,
  layers: readonly LayerSource[],
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<TreeIndex> {
  const unpacking = startUnpacking(directory, limits);
  let left = limits.bytes;
  for (const [number, layer] of layers.entries()) {
    const allowed = Math.min(left, Math.max(limits.ratioFreeBytes, layer.descriptor.size * limits.ratio));
    left -= await unpackLayer(layer, number, allowed, (tar) => applyLayer(unpacking, number, tar));
  }
  refuseEscapes(unpacking.tree);
  sealDirectories(directory, unpacking.tree);
  return indexOf(unpacking.tree);
}

async function unpackLayer(
  layer: LayerSource,
  number: number,
  allowedBytes: number,
  apply: (tar: AsyncIterable<Buffer>) => Promise<void>,
): Promise<number> {
  const { descriptor } = layer;
  const decompress = decompressor(descriptor.mediaType);
  const stored = createHash(algorithmOf(descriptor.digest));
  const plain = createHash(algorithmOf(layer.diffId));
  const source = await layer.open();
  let unpacked = 0;
  let storedBytes = 0;
  async function* bytes(): AsyncGenerator<Buffer> {
    for await (const chunk of withStallTimeout(source)) {
      storedBytes += chunk.length;
      if (storedBytes > descriptor.size)
        throw mismatch(number, descriptor.digest, `more than ${descriptor.size} bytes`);
      stored.update(chunk);
      yield chunk;
    }
  }
  async function* tar(): AsyncGenerator<Buffer> {
    for await (const chunk of decompress(bytes())) {
      unpacked += chunk.length;
      if (unpacked > allowedBytes) throw invalid(`more than ${allowedBytes} bytes once unpacked`);
      plain.update(chunk);
      yield chunk;
    }
  }
  try {
    await apply(tar());
  } finally {
    source.destroy();
  }
  if (storedBytes !== descriptor.size)
    throw mismatch(number, descriptor.digest, `${storedBytes} bytes, not ${descriptor.size}`);
  checkHash(stored, descriptor.digest, number);
  checkHash(plain, layer.diffId, number);
  return unpacked;
}

type Decompress = (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

function decompressor(mediaType: string): Decompress {
  if (/[.+]tar\+gzip$|\.tar\.gzip$/.test(mediaType)) return (bytes) => through(bytes, createGunzip());
  if (/\.tar\+zstd$/.test(mediaType)) return (bytes) => through(bytes, createZstdDecompress());
  if (/\.tar$/.test(mediaType)) return (bytes) => bytes;
  throw invalid(`a layer of type ${JSON.stringify(mediaType)}, which this host cannot unpack`);
}

/** Pulls `bytes` through a zlib stream with back-pressure; whichever side fails first gives the error. */
async function* through(
  bytes: AsyncIterable<Buffer>,
  stream: NodeJS.ReadWriteStream & Readable,
): AsyncGenerator<Buffer> {
  let failure: unknown;
  const feeding = (async () => {
    for await (const chunk of bytes) {
      if (stream.destroyed) return;
      if (!stream.write(chunk)) await drained(stream);
    }
    stream.end();
  })().catch((error: Error) => {
    failure = error;
    stream.destroy(error);
  });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    if (failure !== undefined) throw failure;
    const code = (error as { code?: string }).code ?? '';
    if (/^(Z_|ZSTD|ERR_ZSTD|ERR_ZLIB|ERR_BUFFER)/.test(code))
      throw invalid(`a broken compressed stream (${code})`);
    throw error;
  } finally {
    stream.destroy();
  }
  await feeding;
  if (failure !== undefined) throw failure;
}

function drained(stream: NodeJS.ReadWriteStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

async function* withStallTimeout(source: Readable): AsyncGenerator<Buffer> {
  const stalled = () =>
    source.destroy(
      new SlipwayError(
        'timeout',
        `The registry sent nothing for ${STALL_MS / 1000} s in the middle of a layer`,
      ),
    );
  let timer = setTimeout(stalled, STALL_MS);
  try {
    for await (const chunk of source) {
      clearTimeout(timer);
      yield chunk as Buffer;
      timer = setTimeout(stalled, STALL_MS);
    }
  } finally {
    clearTimeout(timer);
  }
}

function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

function checkHash(hash: Hash, expected: Digest, number: number): void {
  if (hash.digest('hex') !== digestHex(expected)) throw mismatch(number, expected, 'other content');
}

function mismatch(number: number, digest: Digest, what: string): SlipwayError {
  return new SlipwayError('digest_mismatch', `Layer ${number + 1} does not match ${digest}: it has ${what}`, {
    hint: 'The stored bytes were changed or damaged; push the image again from its build.',
  });
}
