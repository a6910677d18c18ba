import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { SlipwayError } from '../../kernel/errors.ts';
import type { BlobSource } from './store.ts';

/** Bytes gathered before one write: a socket gives 64 KiB at a time, and a write call costs more than its bytes. */
const BATCH_BYTES = 1024 * 1024;
/** A sender that gives no byte for so long is gone. */
const SOURCE_IDLE_MS = 60_000;

export interface WriteOptions {
  /** Offset in the file of the first byte. */
  position: number;
  /** Most bytes taken from the source. */
  maxBytes: number;
  /** Sees every byte that is written, in order. */
  onBytes(chunk: Buffer): void;
  signal?: AbortSignal | undefined;
  /** Default SOURCE_IDLE_MS. */
  idleMs?: number | undefined;
}

/** What ended the writing: the source came to its end, or its sender went away after `written` bytes. */
export type Written = { written: number; gone: null } | { written: number; gone: string };

/**
 * Copies a source into an open file. Hashing and reading go on while the write before is under way. The source is left
 * undestroyed, so that a server can still answer on its connection. Throws `payload_too_large`, and file errors as they
 * are; then the file may hold any part of the bytes.
 */
export async function writeSource(
  file: FileHandle,
  source: BlobSource,
  options: WriteOptions,
): Promise<Written> {
  if (!Buffer.isBuffer(source)) return writeStream(file, source, options);
  if (source.length > options.maxBytes) throw tooLarge(options.maxBytes);
  options.onBytes(source);
  await writeAll(file, [source], options.position);
  return { written: source.length, gone: null };
}

function writeStream(file: FileHandle, source: Readable, options: WriteOptions): Promise<Written> {
  return new Promise((resolve, reject) => {
    let taken = 0;
    let written = 0;
    let batch: Buffer[] = [];
    let batchBytes = 0;
    let writing = false;
    /** Set once nothing more will be read: null is a proper end, a text says why the sender is gone. */
    let ended: { gone: string | null } | null = null;
    let failed = false;

    const leave = (gone: string | null) => {
      ended ??= { gone };
      detach();
      if (!writing) write();
    };
    const fail = (error: unknown) => {
      failed = true;
      detach();
      // The write under way must not outlive the file handle.
      if (!writing) reject(error);
      else failure = error;
    };
    let failure: unknown;

    const write = () => {
      if (batchBytes === 0) {
        if (ended) resolve({ written, gone: ended.gone } as Written);
        return;
      }
      const chunks = batch;
      const bytes = batchBytes;
      batch = [];
      batchBytes = 0;
      writing = true;
      writeAll(file, chunks, options.position + written).then(
        () => {
          writing = false;
          written += bytes;
          if (failed) return reject(failure);
          if (ended || batchBytes >= BATCH_BYTES) write();
          if (!ended) source.resume();
        },
        (error: unknown) => {
          writing = false;
          if (!failed) detach();
          reject(failed ? failure : error);
        },
      );
    };

    const onData = (data: Buffer | string) => {
      const chunk = typeof data === 'string' ? Buffer.from(data) : data;
      timer.refresh();
      taken += chunk.length;
      if (taken > options.maxBytes) return fail(tooLarge(options.maxBytes));
      options.onBytes(chunk);
      batch.push(chunk);
      batchBytes += chunk.length;
      if (batchBytes < BATCH_BYTES) return;
      if (writing) source.pause();
      else write();
    };
    // An HTTP request that was cut in the middle may end without an error.
    const onEnd = () =>
      leave((source as { complete?: boolean }).complete === false ? 'the sender went away' : null);
    const onGone = () => leave('the sender went away');
    const onAbort = () => leave('the upload was taken over or ended');
    const timer = setTimeout(() => leave('the sender fell silent'), options.idleMs ?? SOURCE_IDLE_MS);

    function detach() {
      clearTimeout(timer);
      source.pause();
      source.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
      options.signal?.removeEventListener('abort', onAbort);
    }

    if (options.signal?.aborted) return onAbort();
    if (source.destroyed && !source.readableEnded) return onGone();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    source.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}

function tooLarge(maxBytes: number): SlipwayError {
  return new SlipwayError('payload_too_large', `more than ${maxBytes} bytes were sent`);
}

async function writeAll(file: FileHandle, chunks: Buffer[], position: number): Promise<void> {
  let rest = chunks;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at);
    at += bytesWritten;
    rest = dropBytes(rest, bytesWritten);
  }
}

function dropBytes(chunks: Buffer[], count: number): Buffer[] {
  let left = count;
  const index = chunks.findIndex((chunk) => {
    if (left < chunk.length) return true;
    left -= chunk.length;
    return false;
  });
  if (index < 0) return [];
  const [first, ...others] = chunks.slice(index) as [Buffer, ...Buffer[]];
  return [first.subarray(left), ...others];
}
