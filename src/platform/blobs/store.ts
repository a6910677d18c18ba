import type { Readable, Writable } from 'node:stream';
import type { Digest } from '../../kernel/digest.ts';

export interface StoredBlob {
  digest: Digest;
  /** Bytes. */
  size: number;
}

/** First and last byte, both inclusive, counted from 0. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Where the bytes of a blob come from: in memory, or a stream that is read once and never destroyed by the store. */
export type BlobSource = Buffer | Readable;

export interface AppendOptions {
  /** The offset the bytes belong at; absent means "at the end". Another end is `conflict` with `facts.offset`. */
  offset?: number;
  /** Exactly so many bytes must come; more or fewer are `invalid_input` and the upload is as it was before. */
  length?: number;
  /** The upload may not grow beyond this; `payload_too_large` otherwise, and the upload is as it was before. */
  maxBytes: number;
  signal?: AbortSignal;
}

/**
 * Bytes by their digest. What `put` and `commit` acknowledge is on the disk, whole, under its digest: it survives kill -9
 * and power loss. What was not acknowledged is never visible under a digest. Errors: `digest_mismatch` (the bytes are
 * others), `disk_full` (nothing of the attempt is kept), `not_found`, `conflict` (an upload's offset is another).
 */
export interface BlobStore {
  put(source: BlobSource, options: { expected?: Digest; maxBytes: number }): Promise<StoredBlob>;
  /** `size` is that of the whole blob. The bytes are as stored: whoever acts on them checks the digest. */
  open(digest: Digest, range?: ByteRange): Promise<{ stream: Readable; size: number }>;
  /** Writes the bytes (of the range) into `sink` and leaves it open; the way for large transfers. */
  send(digest: Digest, sink: Writable, range?: ByteRange): Promise<void>;
  /** Size in bytes, or null when there is no such blob. */
  stat(digest: Digest): Promise<number | null>;
  /** False when there was none. Open streams read on to their end. */
  delete(digest: Digest): Promise<boolean>;
  /** Every blob, in no order. */
  list(): AsyncIterable<StoredBlob>;

  /** Begins an upload in parts. `algorithm` is a guess at the digest that `seal` will name; a wrong guess costs a re-read. */
  createUpload(algorithm?: 'sha256' | 'sha512'): Promise<string>;
  /** Bytes received so far, or null when there is no such upload. */
  uploadOffset(id: string): Promise<number | null>;
  /**
   * Adds bytes and returns the new offset. A second append to the same upload ends the first (its client is gone: the same
   * client came back), whose bytes so far are kept.
   */
  append(id: string, source: BlobSource, options: AppendOptions): Promise<number>;
  /** Checks the digest and makes the bytes durable; nothing can be added then, and the blob is not visible yet. Gives its size. */
  seal(id: string, digest: Digest): Promise<number>;
  /** `seal`, then makes the blob visible and ends the upload. */
  commit(id: string, digest: Digest): Promise<StoredBlob>;
  /** Ends the upload and drops its bytes. False when there was none. */
  cancel(id: string): Promise<boolean>;
  /** Drops uploads and temporary files untouched since `beforeMs`; returns how many. */
  sweep(beforeMs: number): Promise<number>;
}
