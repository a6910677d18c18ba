import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, stat, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from './limits.ts';

/** Output of the instances, one file each; it outlives the instance. The text is the program's own: never trusted. */
export interface InstanceLogs {
  pathOf(id: string): string;
  exists(id: string): Promise<boolean>;
  /** The last `lines` lines. */
  tail(id: string, lines: number): Promise<string>;
  /** What is written from the end of the last `lines` lines on, until `signal` aborts or `ended` says there is no more. */
  follow(id: string, lines: number, signal: AbortSignal, ended: () => boolean): AsyncGenerator<Buffer>;
  /** Copies and truncates logs that are too long, removes the oldest logs of ids that are not in `living`. */
  tidy(living: ReadonlySet<string>): Promise<void>;
}

const FOLLOW_POLL_MS = 200;
const SUFFIX = '.log';

export async function openLogs(directory: string): Promise<InstanceLogs> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pathOf = (id: string) => join(directory, `${id}${SUFFIX}`);

  async function lastLines(id: string, lines: number): Promise<{ text: Buffer; offset: number }> {
    const current = await readEnd(pathOf(id), LIMITS.tailBytes);
    const older =
      countLines(current.text) < lines
        ? await readEnd(`${pathOf(id)}.1`, LIMITS.tailBytes - current.text.length)
        : null;
    const text = older === null ? current.text : Buffer.concat([older.text, current.text]);
    return { text: cutToLines(text, lines), offset: current.size };
  }

  return {
    pathOf,
    exists: (id) =>
      stat(pathOf(id)).then(
        () => true,
        () => false,
      ),
    tail: async (id, lines) => (await lastLines(id, lines)).text.toString('utf8'),
    async *follow(id, lines, signal, ended) {
      const start = await lastLines(id, lines);
      let { offset } = start;
      if (start.text.length > 0) yield start.text;
      while (!signal.aborted) {
        // Asked before the read: what was written before the end is still read.
        const last = ended();
        const { size } = await stat(pathOf(id)).catch(() => ({ size: 0 }));
        if (size < offset) offset = 0;
        while (offset < size && !signal.aborted) {
          const chunk = await readAt(pathOf(id), offset, Math.min(size - offset, 64 * 1024));
          if (chunk.length === 0) break;
          offset += chunk.length;
          yield chunk;
        }
        if (last) return;
        await delay(FOLLOW_POLL_MS, undefined, { signal }).catch(() => {});
      }
    },
    async tidy(living) {
      const forgotten: { path: string; writtenAtMs: number }[] = [];
      for (const name of await readdir(directory)) {
        if (!name.endsWith(SUFFIX)) continue;
        const path = join(directory, name);
        const { size, mtimeMs } = await stat(path);
        if (size > LIMITS.logBytes) await rotate(path);
        if (!living.has(name.slice(0, -SUFFIX.length))) forgotten.push({ path, writtenAtMs: mtimeMs });
      }
      forgotten.sort((a, b) => b.writtenAtMs - a.writtenAtMs);
      for (const { path } of forgotten.slice(LIMITS.keptLogs)) {
        await unlink(path).catch(() => {});
        await unlink(`${path}.1`).catch(() => {});
      }
    },
  };
}

/**
 * The writer keeps its descriptor (opened for appending), so the file is copied and truncated, not renamed. Lines written
 * between the copy and the truncation are lost; that is why it is copied on until nothing new came.
 */
async function rotate(path: string): Promise<void> {
  const copy = `${path}.1.tmp`;
  await copyFile(path, copy, constants.COPYFILE_FICLONE);
  let copied = (await stat(copy)).size;
  const out = await open(copy, 'a');
  try {
    for (let round = 0; round < 16; round++) {
      const more = await readAt(path, copied, LIMITS.logBytes);
      if (more.length === 0) break;
      await out.write(more);
      copied += more.length;
    }
  } finally {
    await out.close();
  }
  await truncate(path, 0);
  await rename(copy, `${path}.1`);
}

async function readAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readEnd(path: string, bytes: number): Promise<{ text: Buffer; size: number }> {
  const found = await stat(path).catch(() => null);
  if (found === null || bytes <= 0) return { text: Buffer.alloc(0), size: 0 };
  const length = Math.min(found.size, bytes);
  return { text: await readAt(path, found.size - length, length), size: found.size };
}

function countLines(text: Buffer): number {
  let count = 0;
  for (const byte of text) if (byte === 0x0a) count += 1;
  return count;
}

function cutToLines(text: Buffer, lines: number): Buffer {
  if (lines <= 0) return Buffer.alloc(0);
  // A final newline ends the last line, it does not start another.
  let at = text.at(-1) === 0x0a ? text.length - 1 : text.length;
  for (let found = 0; found < lines; found++) {
    at = text.lastIndexOf(0x0a, at - 1);
    if (at <= 0) return at === 0 && found + 1 === lines ? text.subarray(1) : text;
  }
  return text.subarray(at + 1);
}

/** The last lines for a reason a person reads: few, short, without control characters. */
export function lastWords(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replaceAll(/\p{Cc}/gu, ' ').trimEnd())
    .filter((line) => line !== '')
    .slice(-LIMITS.reasonLines);
  return lines.join('\n').slice(-LIMITS.reasonCharacters);
}
