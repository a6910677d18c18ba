import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestHex, sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { RegistryClient } from '../../platform/oci/types.ts';

/**
 * A registry in a directory, shared by the processes of a test. It hands out what is there without looking at it, like a
 * registry that was broken into: the agent's own checks are what the tests are about.
 */
export function layoutRegistry(directory: string): RegistryClient {
  const pathOf = (digest: string) => join(directory, 'blobs', digestHex(digest as Digest));
  async function read(digest: string): Promise<Buffer> {
    try {
      return await readFile(pathOf(digest));
    } catch (error) {
      throw new SlipwayError('image_missing', `There is no ${digest}`, { cause: error });
    }
  }
  return {
    hasBlob: (_repository, digest) =>
      stat(pathOf(digest)).then(
        () => true,
        () => false,
      ),
    async putBlob(_repository, digest, content) {
      await mkdir(join(directory, 'blobs'), { recursive: true });
      if (Buffer.isBuffer(content)) await writeFile(pathOf(digest), content);
      else await pipeline(content.open(), createWriteStream(pathOf(digest)));
    },
    async openBlob(_repository, digest): Promise<Readable> {
      await read(digest);
      return createReadStream(pathOf(digest));
    },
    getBlob: (_repository, digest) => read(digest),
    async putManifest(repository, _reference, mediaType, bytes) {
      const digest = sha256(bytes);
      await this.putBlob(repository, digest, bytes);
      await writeFile(`${pathOf(digest)}.type`, mediaType);
      return digest;
    },
    async getManifest(_repository, reference) {
      const bytes = await read(reference);
      return {
        bytes,
        digest: reference as Digest,
        mediaType: await readFile(`${pathOf(reference)}.type`, 'utf8'),
      };
    },
    referrers: async () => [],
  };
}
