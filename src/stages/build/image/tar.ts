import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SlipwayError } from '../../../kernel/errors.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { readBlocks } from '../tree/hash.ts';

const RECORD = 512;
/** Blocks handed on: big enough for the compressor, small enough to keep memory flat. */
export const BLOCK = 1024 * 1024;
const SMALL_FILE = 128 * 1024;
/** Files read ahead of the one being written. */
const READ_AHEAD = 32;
const MAX_USTAR_SIZE = 0o77777777777;

/** An entry as it stands in the archive, and where its bytes are (files only). */
export interface TarInput {
  entry: TreeEntry;
  host: string;
}

/**
 * An uncompressed tar archive in blocks of exactly 1 MiB (the last may differ): ustar, with pax records where a name, link or size does not fit.
 * Everything that could differ between machines is fixed: owner 0:0 without names, the given time, no devices, no
 * extended attributes. The entries come out in the order given. Memory: a few blocks.
 */
export async function* writeTar(inputs: readonly TarInput[], mtimeS: number): AsyncGenerator<Buffer> {
  const ahead = new Map<number, Promise<Buffer>>();
  let block = Buffer.allocUnsafe(BLOCK);
  let filled = 0;
  for (const [index, input] of inputs.entries()) {
    readAhead(inputs, index, ahead);
    const small = ahead.get(index);
    ahead.delete(index);
    const body = small ? [await small] : input.entry.type === 'file' ? readLarge(input) : [];
    for await (const chunk of framed(input.entry, mtimeS, body)) {
      for (let from = 0; from < chunk.length; ) {
        const taken = chunk.copy(block, filled, from);
        filled += taken;
        from += taken;
        if (filled < BLOCK) continue;
        yield block;
        block = Buffer.allocUnsafe(BLOCK);
        filled = 0;
      }
    }
  }
  yield Buffer.concat([block.subarray(0, filled), Buffer.alloc(2 * RECORD)]);
}

function readAhead(inputs: readonly TarInput[], from: number, ahead: Map<number, Promise<Buffer>>): void {
  for (let i = from; i < Math.min(from + READ_AHEAD, inputs.length); i++) {
    const next = inputs[i];
    if (next?.entry.type === 'file' && next.entry.size <= SMALL_FILE && !ahead.has(i))
      ahead.set(i, readSmall(next));
  }
}

async function* framed(
  entry: TreeEntry,
  mtimeS: number,
  body: AsyncIterable<Buffer> | Buffer[],
): AsyncGenerator<Buffer> {
  yield tarHeader(entry, mtimeS);
  yield* body;
  const rest = entry.size % RECORD;
  if (entry.type === 'file' && rest > 0) yield Buffer.alloc(RECORD - rest);
}

function readSmall(input: TarInput): Promise<Buffer> {
  const read = (async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of readLarge(input)) chunks.push(chunk);
    return Buffer.concat(chunks);
  })();
  // Awaited later; until then a failure must not count as unhandled.
  read.catch(() => {});
  return read;
}

async function* readLarge({ entry, host }: TarInput): AsyncGenerator<Buffer> {
  const file = await open(host, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    if (size !== entry.size)
      throw new SlipwayError('invalid_input', `${JSON.stringify(entry.path)} changed while it was packed`);
    yield* readBlocks(file, size);
  } finally {
    await file.close();
  }
}

/** The header record of an entry, with a pax record before it where one is needed. */
export function tarHeader(entry: TreeEntry, mtimeS: number): Buffer {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const records: [string, string][] = [];
  const name = splitName(path);
  if (!name) records.push(['path', path]);
  if (!fits(entry.target, 100)) records.push(['linkpath', entry.target]);
  if (entry.size > MAX_USTAR_SIZE) records.push(['size', String(entry.size)]);
  const header = ustar({
    name: name?.name ?? fallbackName(path),
    prefix: name?.prefix ?? '',
    mode: entry.mode & 0o777,
    size: entry.size > MAX_USTAR_SIZE ? 0 : entry.size,
    mtimeS,
    type: entry.type === 'directory' ? '5' : entry.type === 'symlink' ? '2' : '0',
    target: fits(entry.target, 100) ? entry.target : '',
  });
  return records.length === 0 ? header : Buffer.concat([paxHeader(records, mtimeS), header]);
}

function paxHeader(records: readonly [string, string][], mtimeS: number): Buffer {
  const body = Buffer.concat(
    [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => paxRecord(key, value)),
  );
  const header = ustar({
    name: 'PaxHeader',
    prefix: '',
    mode: 0o644,
    size: body.length,
    mtimeS,
    type: 'x',
    target: '',
  });
  const padding = Buffer.alloc((RECORD - (body.length % RECORD)) % RECORD);
  return Buffer.concat([header, body, padding]);
}

/** `<length> key=value\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

interface UstarFields {
  name: string;
  prefix: string;
  mode: number;
  size: number;
  mtimeS: number;
  type: string;
  target: string;
}

function ustar(fields: UstarFields): Buffer {
  const header = Buffer.alloc(RECORD);
  header.write(fields.name, 0, 100, 'latin1');
  header.write(octal(fields.mode, 7), 100, 8, 'latin1');
  header.write(octal(0, 7), 108, 8, 'latin1');
  header.write(octal(0, 7), 116, 8, 'latin1');
  header.write(octal(fields.size, 11), 124, 12, 'latin1');
  header.write(octal(Math.max(0, fields.mtimeS), 11), 136, 12, 'latin1');
  header.write('        ', 148, 8, 'latin1');
  header.write(fields.type, 156, 1, 'latin1');
  header.write(fields.target, 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 8, 'latin1');
  header.write(octal(0, 7), 329, 8, 'latin1');
  header.write(octal(0, 7), 337, 8, 'latin1');
  header.write(fields.prefix, 345, 155, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${octal(sum, 6)}\0 `, 148, 8, 'latin1');
  return header;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function fits(text: string, bytes: number): boolean {
  // Plain ASCII only: readers disagree about the encoding of anything else in a ustar field.
  return text.length <= bytes && /^[\x20-\x7e]*$/.test(text);
}

/** Name and prefix of a path that fits into them; null when it needs a pax record. */
function splitName(path: string): { name: string; prefix: string } | null {
  if (fits(path, 100)) return { name: path, prefix: '' };
  if (!fits(path, 256)) return null;
  const slash = path.indexOf('/', path.length - 101);
  if (slash <= 0 || slash > 155 || slash === path.length - 1) return null;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

/** For readers without pax: recognizable, and the same on every machine. */
function fallbackName(path: string): string {
  return path.replace(/[^\x20-\x7e]/g, '_').slice(0, 100);
}
