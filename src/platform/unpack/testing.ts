import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { sha256 } from '../../kernel/digest.ts';
import type { LayerSource } from './image.ts';

/** One header of a hand-written archive; nothing is checked, as an attacker would not. */
export interface RawEntry {
  name: string;
  type?: string;
  target?: string;
  mode?: number;
  content?: Buffer | string;
  /** Written instead of the content's length. */
  size?: number;
  /** Magic and version; default ustar. */
  magic?: string;
  prefix?: string;
  /** Written instead of the right checksum. */
  checksum?: number;
}

/** The archive of these entries with its end mark. */
export function rawTar(entries: readonly RawEntry[], end = true): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    return [header(entry, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(end ? 1024 : 0)]);
}

/** A pax header that holds these records. */
export function pax(records: Readonly<Record<string, string>>, type = 'x'): RawEntry {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (length !== rest + String(length).length) length = rest + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return { name: 'pax', type, content: lines.join('') };
}

function header(entry: RawEntry, length: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100);
  block.write((entry.mode ?? 0o644).toString(8).padStart(7, '0'), 100, 8);
  block.write('0000000', 108, 8);
  block.write('0000000', 116, 8);
  block.write((entry.size ?? length).toString(8).padStart(11, '0'), 124, 12);
  block.write('00000000000', 136, 12);
  block.write('        ', 148, 8);
  block.write(entry.type ?? '0', 156, 1);
  block.write(entry.target ?? '', 157, 100);
  block.write(entry.magic ?? 'ustar\u000000', 257, 8, 'latin1');
  block.write(entry.prefix ?? '', 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${(entry.checksum ?? sum).toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return block;
}

/** Where the tests of this process unpack; `removeRoots` at their end. */
export const base = mkdtempSync(join(tmpdir(), 'slipway-unpack-'));

let cases = 0;

/** The root is the only thing in a directory of its own, so that an escape is seen beside it. */
export function freshRoot(): string {
  const root = join(base, String(cases++), 'rootfs');
  mkdirSync(root, { recursive: true });
  return root;
}

type Compression = 'none' | 'gzip' | 'zstd';

export function layerOf(tar: Buffer, compression: Compression = 'none', chunkBytes = 64 * 1024): LayerSource {
  const bytes = compression === 'gzip' ? gzipSync(tar) : compression === 'zstd' ? zstdCompressSync(tar) : tar;
  const suffix = compression === 'none' ? '' : `+${compression}`;
  return {
    descriptor: {
      mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
      digest: sha256(bytes),
      size: bytes.length,
    },
    diffId: sha256(tar),
    open: async () => Readable.from(chunksOf(bytes, chunkBytes)),
  };
}

function* chunksOf(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function removeRoots(): void {
  rmSync(base, { recursive: true, force: true });
}

export const directory = (name: string): RawEntry => ({ name, type: '5', mode: 0o755 });
export const link = (name: string, target: string): RawEntry => ({ name, type: '2', target });
export const hard = (name: string, target: string): RawEntry => ({ name, type: '1', target });
export const file = (name: string, content = name): RawEntry => ({ name, content });
