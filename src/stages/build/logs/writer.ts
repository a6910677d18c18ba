import { StringDecoder } from 'node:string_decoder';
import { storable } from '../text.ts';
import { createMasker } from './mask.ts';

/** A step's log is cut here; the command itself runs on. */
export const MAX_LOG_BYTES = 4 * 1024 * 1024;
const FLUSH_CHARACTERS = 32 * 1024;
const FLUSH_AFTER_MS = 150;

/** Where finished pieces of a log go, in order; `storeLog` writes them to the database. */
export type LogSink = (text: string) => Promise<void>;

export interface LogWriter {
  /** Raw output of the command. Resolves when the writer can take more. */
  write(chunk: Buffer): Promise<void>;
  /** A line of our own, masked like the rest. */
  note(text: string): Promise<void>;
  /** Stores everything; the writer is done. */
  end(): Promise<void>;
  /** The last lines, for the error message. */
  tail(): string;
}

/**
 * Decodes, masks, bounds and batches one step's output. `alreadyBytes` counts what an earlier run of the same step
 * stored. A failure of the sink comes out of the next `write` or of `end`.
 */
export function createLogWriter(
  sink: LogSink,
  secrets: readonly string[],
  options: { maxBytes?: number; alreadyBytes?: number } = {},
): LogWriter {
  const decoder = new StringDecoder('utf8');
  const masker = createMasker(secrets);
  const maxBytes = options.maxBytes ?? MAX_LOG_BYTES;
  let stored = options.alreadyBytes ?? 0;
  let pending = '';
  let last = '';
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();
  let failure: { error: unknown } | undefined;

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const text = pending;
    pending = '';
    if (text !== '') {
      flushing = flushing
        .then(() => (failure ? undefined : sink(text)))
        .catch((error: unknown) => {
          failure = { error };
        });
    }
    return flushing.then(() => {
      if (failure) throw failure.error;
    });
  };
  const add = async (text: string): Promise<void> => {
    const clean = storable(text);
    last = (last + clean).slice(-2_000);
    if (clean === '' || stored >= maxBytes) return failure ? flush() : undefined;
    const kept = cut(clean, maxBytes - stored);
    stored += Buffer.byteLength(kept);
    pending += kept;
    if (kept.length < clean.length) {
      stored = maxBytes;
      pending += `\n[the log of this step is longer than ${maxBytes} bytes; the rest is not kept]\n`;
    }
    if (pending.length >= FLUSH_CHARACTERS) return flush();
    timer ??= setTimeout(() => void flush().catch(() => {}), FLUSH_AFTER_MS);
    return failure ? flush() : undefined;
  };
  return {
    write: (chunk) => add(masker.push(decoder.write(chunk))),
    note: (text) => add(masker.push(`${text}\n`)),
    async end() {
      await add(masker.push(decoder.end()) + masker.end());
      await flush();
    },
    tail: () => last,
  };
}

/** The longest start of the text that takes at most so many bytes of UTF-8. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const short = Buffer.from(text).subarray(0, Math.max(0, bytes)).toString();
  return short.endsWith('\u{fffd}') ? short.slice(0, -1) : short;
}
