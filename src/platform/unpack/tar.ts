import { ByteReader } from './byte-reader.ts';
import { invalid } from './invalid.ts';
import type { UnpackLimits } from './limits.ts';
import { parsePax } from './pax.ts';

export interface TarEntry {
  /** As written in the archive; decoded as strict UTF-8, without NUL. */
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Permission bits, 0 to 0o777; set-id and sticky bits are dropped. */
  mode: number;
  /** Bytes of the body; 0 for all but files. */
  size: number;
  /** Of symlinks and hardlinks; else empty. */
  target: string;
}

const BLOCK = 512;

/**
 * Reads a tar stream (ustar, pax, GNU long names) and calls `visit` for each entry in order; what `visit` leaves of a body
 * is skipped. Strict where readers differ, so that no other reader sees another tree: a bad checksum, device nodes, pipes,
 * sparse files, unknown types, bodies on links, bytes after the end mark and cut-off archives are all `invalid_input`.
 */
export async function readTar(
  source: AsyncIterable<Buffer>,
  limits: UnpackLimits,
  visit: (entry: TarEntry, body: AsyncIterable<Buffer>) => Promise<void> | void,
): Promise<void> {
  const reader = new ByteReader(source);
  let extended: Extended = {};
  for (;;) {
    const block = await reader.read(BLOCK);
    if (block === null) break;
    if (isZero(block)) {
      await expectOnlyZeros(reader);
      break;
    }
    const header = parseHeader(block);
    if ('xgLK'.includes(header.kind)) {
      extended = { ...extended, ...(await readExtended(reader, header, limits)) };
      continue;
    }
    const entry = toEntry(header, extended);
    extended = {};
    const body = reader.take(entry.size);
    await visit(entry, body);
    for await (const _rest of body);
    await reader.skip(padding(entry.size));
  }
  if (extended.path !== undefined || extended.target !== undefined || extended.size !== undefined) {
    throw invalid('an extended header without an entry');
  }
}

interface Extended {
  path?: string;
  target?: string;
  size?: number;
}

interface Header {
  name: string;
  mode: number;
  size: number;
  kind: string;
  target: string;
}

function parseHeader(block: Buffer): Header {
  const stored = octal(block.subarray(148, 156), 'checksum');
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!;
  if (sum !== stored) throw invalid('a header whose checksum does not fit');
  const posix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = posix ? text(block.subarray(345, 500)) : '';
  const name = text(block.subarray(0, 100));
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156]!);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    mode: number(block.subarray(100, 108), 'mode') & 0o777,
    size: number(block.subarray(124, 136), 'size'),
    kind: type,
    target: text(block.subarray(157, 257)),
  };
}

async function readExtended(reader: ByteReader, header: Header, limits: UnpackLimits): Promise<Extended> {
  if (header.size > limits.headerBytes) throw invalid(`an extended header of ${header.size} bytes`);
  const bytes = await reader.read(header.size);
  if (bytes === null) throw invalid('an archive that is cut off');
  await reader.skip(padding(header.size));
  if (header.kind === 'L') return { path: text(bytes) };
  if (header.kind === 'K') return { target: text(bytes) };
  const records = parsePax(bytes);
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) throw invalid('a sparse file');
  const result: Extended = {};
  const path = records.get('path');
  const target = records.get('linkpath');
  const size = records.get('size');
  if (path !== undefined) result.path = path;
  if (target !== undefined) result.target = target;
  if (size !== undefined) {
    if (!/^[0-9]{1,15}$/.test(size)) throw invalid('a pax size that is not a number');
    result.size = Number(size);
  }
  // Readers disagree on what a global path would mean.
  if (header.kind === 'g' && Object.keys(result).length > 0)
    throw invalid('a global header that names a path or size');
  return result;
}

function toEntry(header: Header, extended: Extended): TarEntry {
  const path = extended.path ?? header.name;
  const target = extended.target ?? header.target;
  const size = extended.size ?? header.size;
  if (path === '') throw invalid('an entry without a name');
  if (path.includes('\0') || target.includes('\0'))
    throw invalid(`a NUL in the name of ${JSON.stringify(path)}`);
  let type: TarEntry['type'];
  if (header.kind === '0' || header.kind === '7') type = path.endsWith('/') ? 'directory' : 'file';
  else if (header.kind === '1') type = 'hardlink';
  else if (header.kind === '2') type = 'symlink';
  else if (header.kind === '5') type = 'directory';
  else if ('346'.includes(header.kind)) throw invalid(`a device node or pipe: ${JSON.stringify(path)}`);
  else throw invalid(`an entry of type ${JSON.stringify(header.kind)}: ${JSON.stringify(path)}`);
  if (type !== 'file' && size !== 0) throw invalid(`a ${type} with a body: ${JSON.stringify(path)}`);
  return {
    path,
    type,
    mode: header.mode,
    size,
    target: type === 'symlink' || type === 'hardlink' ? target : '',
  };
}

async function expectOnlyZeros(reader: ByteReader): Promise<void> {
  for await (const chunk of reader.rest())
    if (!isZero(chunk)) throw invalid('bytes after the end of the archive');
}

function isZero(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to the first NUL. */
function text(field: Buffer): string {
  const end = field.indexOf(0);
  try {
    return decoder.decode(end < 0 ? field : field.subarray(0, end));
  } catch {
    throw invalid('a name that is not UTF-8');
  }
}

/** Octal digits, or the GNU form: first bit set, then a big-endian integer. */
function number(field: Buffer, what: string): number {
  if ((field[0]! & 0x80) === 0) return octal(field, what);
  let value = field[0]! & 0x7f;
  for (const byte of field.subarray(1)) {
    value = value * 256 + byte;
    if (value > Number.MAX_SAFE_INTEGER) throw invalid(`a ${what} out of range`);
  }
  return value;
}

function octal(field: Buffer, what: string): number {
  const match = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1'));
  if (!match) throw invalid(`a ${what} that is not octal`);
  return match[1] === '' ? 0 : Number.parseInt(match[1]!, 8);
}
