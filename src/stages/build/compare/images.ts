import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { canonicalJson } from '../../../kernel/canonical.ts';
import type { Digest } from '../../../kernel/digest.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import type { Descriptor } from '../../../platform/oci/types.ts';
import { layoutBlob } from '../image/layout.ts';
import type { Difference, Reproducibility } from '../report.ts';

/** One member of a layer, as it stands in the archive. */
export interface Member {
  path: string;
  type: string;
  mode: number;
  size: number;
  link: string;
  mtimeS: number;
  sha256: string;
}

export interface Comparison {
  verdict: Exclude<Reproducibility, 'inconclusive'>;
  difference: Difference | null;
}

/** Compares the single images of two OCI layouts, as far down as needed to name the first differing file. */
export async function compareImages(first: string, second: string): Promise<Comparison> {
  const [a, b] = await Promise.all([readImage(first), readImage(second)]);
  if (a.digest === b.digest) return { verdict: 'byte-identical', difference: null };
  let softest: Difference | null = null;
  for (const index of Array(Math.max(a.layers.length, b.layers.length)).keys()) {
    const [left, right] = [a.layers[index], b.layers[index]];
    const layer = `layer ${index + 1}`;
    if (!left || !right) {
      return {
        verdict: 'diverged',
        difference: difference(layer, '', left ? 'only in the first' : 'only in the second'),
      };
    }
    if (left.digest === right.digest) continue;
    const members = await Promise.all([listMembers(first, left), listMembers(second, right)]);
    const found = compareMembers(layer, ...members);
    if (found?.hard)
      return {
        verdict: 'diverged',
        difference: await withOffset(found.difference, first, left, second, right),
      };
    softest ??=
      found?.difference ?? difference(layer, '', 'bytes', 'the same archive, compressed differently');
  }
  if (canonicalJson(a.config) !== canonicalJson(b.config)) {
    return {
      verdict: 'diverged',
      difference: difference('configuration', firstMember(a.config, b.config), 'content'),
    };
  }
  return { verdict: 'content-identical', difference: softest ?? difference('manifest', '', 'bytes') };
}

/** The first difference in what the files are (hard), else in how they are archived: time, order (soft). Pure. */
export function compareMembers(
  layer: string,
  first: readonly Member[],
  second: readonly Member[],
): { hard: boolean; difference: Difference } | null {
  const left = new Map(first.map((member) => [member.path, member]));
  const right = new Map(second.map((member) => [member.path, member]));
  let soft: Difference | null = null;
  for (const path of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const [a, b] = [left.get(path), right.get(path)];
    if (!a || !b)
      return {
        hard: true,
        difference: difference(layer, path, a ? 'only in the first' : 'only in the second'),
      };
    const hard = hardDifference(a, b);
    if (hard) return { hard: true, difference: difference(layer, path, ...hard) };
    if (a.mtimeS !== b.mtimeS)
      soft ??= difference(layer, path, 'time', `${a.mtimeS} and ${b.mtimeS} seconds`);
  }
  const displaced = first.findIndex((member, index) => member.path !== second[index]?.path);
  if (displaced >= 0)
    soft ??= difference(layer, first[displaced]?.path ?? '', 'order', `at position ${displaced + 1}`);
  return soft && { hard: false, difference: soft };
}

function hardDifference(a: Member, b: Member): [Difference['why'], string] | null {
  if (a.type !== b.type) return ['type', `${a.type} and ${b.type}`];
  if (a.mode !== b.mode) return ['mode', `${a.mode.toString(8)} and ${b.mode.toString(8)}`];
  if (a.link !== b.link) return ['link', `${a.link} and ${b.link}`];
  if (a.size !== b.size) return ['size', `${a.size} and ${b.size} bytes`];
  return a.sha256 === b.sha256 ? null : ['content', ''];
}

interface LayoutImage {
  digest: Digest;
  layers: readonly Descriptor[];
  config: Record<string, unknown>;
}

async function readImage(layout: string): Promise<LayoutImage> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const digest = index.manifests[0]?.digest;
  if (!digest) throw new SlipwayError('internal', 'a layout without an image');
  const manifest = JSON.parse(await readFile(layoutBlob(layout, digest), 'utf8')) as {
    config: Descriptor;
    layers: Descriptor[];
  };
  const config = JSON.parse(await readFile(layoutBlob(layout, manifest.config.digest), 'utf8')) as Record<
    string,
    unknown
  >;
  // Follows from the layers, which are compared themselves.
  delete config.rootfs;
  return { digest, layers: manifest.layers, config };
}

async function listMembers(layout: string, layer: Descriptor): Promise<Member[]> {
  const members: Member[] = [];
  await readMembers(layout, layer, async (header, body) => {
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk as Buffer);
    members.push({
      path: header.name,
      type: header.type ?? 'file',
      mode: header.mode ?? 0,
      size: header.size ?? 0,
      link: header.linkname ?? '',
      mtimeS: Math.floor((header.mtime?.getTime() ?? 0) / 1000),
      sha256: header.type === 'file' ? hash.digest('hex') : '',
    });
  });
  return members;
}

async function readMembers(
  layout: string,
  layer: Descriptor,
  visit: (header: Header, body: AsyncIterable<unknown>) => Promise<void>,
): Promise<void> {
  const unpack = extract();
  const stored = createReadStream(layoutBlob(layout, layer.digest));
  const tar = stored.pipe(decompressor(layer.mediaType));
  for (const stream of [stored, tar]) stream.on('error', (error: Error) => unpack.destroy(error));
  tar.pipe(unpack);
  for await (const entry of unpack) await visit(entry.header, entry);
}

function decompressor(mediaType: string): Transform {
  if (mediaType.endsWith('gzip')) return createGunzip();
  return mediaType.endsWith('zstd') ? createZstdDecompress() : new PassThrough();
}

/** Adds where the contents of one file first differ. */
async function withOffset(
  found: Difference,
  firstLayout: string,
  first: Descriptor,
  secondLayout: string,
  second: Descriptor,
): Promise<Difference> {
  if (found.why !== 'content' && found.why !== 'size') return found;
  const [a, b] = await Promise.all([
    readMember(firstLayout, first, found.path),
    readMember(secondLayout, second, found.path),
  ]);
  const length = Math.min(a.length, b.length);
  let offset = 0;
  while (offset < length && a[offset] === b[offset]) offset++;
  const around = (bytes: Buffer) =>
    JSON.stringify(bytes.subarray(Math.max(0, offset - 8), offset + 24).toString('latin1'));
  const detail = `${found.detail ? `${found.detail}; ` : ''}at byte ${offset}: ${around(a)} and ${around(b)}`;
  return { ...found, offset, detail };
}

/** The start of one member: differences are looked for in its first 64 MiB. */
const MAX_COMPARED = 64 * 1024 * 1024;

async function readMember(layout: string, layer: Descriptor, path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let kept = 0;
  await readMembers(layout, layer, async (header, body) => {
    for await (const chunk of body) {
      if (header.name !== path || kept >= MAX_COMPARED) continue;
      chunks.push(chunk as Buffer);
      kept += (chunk as Buffer).length;
    }
  });
  return Buffer.concat(chunks);
}

function firstMember(a: Record<string, unknown>, b: Record<string, unknown>): string {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return names.find((name) => canonicalJson(a[name] ?? null) !== canonicalJson(b[name] ?? null)) ?? '';
}

function difference(layer: string, path: string, why: Difference['why'], detail = ''): Difference {
  return { layer, path, why, offset: null, detail };
}
