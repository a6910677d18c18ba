import { availableParallelism } from 'node:os';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, crc32, createZstdCompress, deflateRaw } from 'node:zlib';

export type Compression = 'gzip' | 'zstd';

const deflateBlock = promisify(deflateRaw);
const GZIP_LEVEL = 6;
const ZSTD_LEVEL = 3;
/** No flags, no name, no time, unknown system: nothing of the machine. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** An empty last block with fixed codes: ends the deflate stream. */
const DEFLATE_END = Buffer.from([0x03, 0x00]);

/** Compresses a stream of blocks. The output depends on the bytes, the block borders and the zlib version alone. */
export function compress(blocks: AsyncIterable<Buffer>, compression: Compression): AsyncIterable<Buffer> {
  return compression === 'gzip' ? gzipParallel(blocks) : zstd(blocks);
}

/**
 * gzip with all cores: every block is deflated on its own and ends on a byte border, so the pieces join to one stream,
 * the same one however many cores there are.
 */
async function* gzipParallel(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const inFlight: Promise<Buffer>[] = [];
  let crc = 0;
  let length = 0;
  yield GZIP_HEADER;
  for await (const block of blocks) {
    crc = crc32(block, crc);
    length += block.length;
    const job = deflateBlock(block, { level: GZIP_LEVEL, finishFlush: constants.Z_SYNC_FLUSH });
    job.catch(() => {});
    inFlight.push(job);
    if (inFlight.length > availableParallelism()) yield (await inFlight.shift()) ?? Buffer.alloc(0);
  }
  for (const piece of inFlight) yield await piece;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  yield Buffer.concat([DEFLATE_END, trailer]);
}

/**
 * One frame: readers exist (Node's among them) that stop after the first, which rules out independent blocks. Each block is
 * taken in completely before the next, and the end is told apart from the last block: else the frame header would depend
 * on which of the two came first.
 */
async function* zstd(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  const stream = createZstdCompress({ params, chunkSize: 256 * 1024 });
  const feeding = feed(stream, blocks).catch((error: Error) => {
    stream.destroy(error);
  });
  for await (const piece of stream) yield piece as Buffer;
  await feeding;
}

async function feed(stream: Writable, blocks: AsyncIterable<Buffer>): Promise<void> {
  for await (const block of blocks) {
    await new Promise<void>((resolve, reject) => {
      stream.write(block, (error) => (error ? reject(error) : resolve()));
    });
  }
  stream.end();
}
