import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { invalid } from './invalid.ts';
import type { UnpackLimits } from './limits.ts';
import { readTar, type TarEntry } from './tar.ts';
import {
  type DirectoryNode,
  type FileNode,
  newDirectory,
  type Place,
  relativeTarget,
  splitPath,
  type TreeNode,
  walkTo,
} from './tree.ts';

/** One image being written below `directory`, which nobody else writes to. */
export interface Unpacking {
  directory: string;
  tree: DirectoryNode;
  limits: UnpackLimits;
  entries: number;
}

export function startUnpacking(directory: string, limits: UnpackLimits): Unpacking {
  return { directory, tree: newDirectory(0), limits, entries: 0 };
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Applies one layer (an uncompressed tar stream) as the OCI image specification says: changesets, whiteouts, opaque. */
export async function applyLayer(
  unpacking: Unpacking,
  layer: number,
  tar: AsyncIterable<Buffer>,
): Promise<void> {
  await readTar(tar, unpacking.limits, async (entry, body) => {
    unpacking.entries += 1;
    if (unpacking.entries > unpacking.limits.entries)
      throw invalid(`more than ${unpacking.limits.entries} entries`);
    const parts = splitPath(entry.path, unpacking.limits);
    const name = parts.pop();
    if (name === undefined) {
      if (entry.type !== 'directory') throw invalid('a root that is not a directory');
      return;
    }
    if (name.startsWith(WHITEOUT)) return whiteOut(unpacking, layer, parts, name);
    const parent = placeOf(unpacking, layer, parts);
    const path = join(unpacking.directory, ...parent.real, name);
    if (Buffer.byteLength([...parent.real, name].join('/')) > unpacking.limits.pathBytes)
      throw invalid('a path that is too long');
    const existing = parent.node.children.get(name);
    if (entry.type === 'directory' && existing?.kind === 'directory') {
      existing.mode = entry.mode;
      existing.layer = layer;
      return;
    }
    // Looked up before the old node goes: a link to itself must not lose its target.
    const linked = entry.type === 'hardlink' ? findFile(unpacking, entry) : null;
    if (linked !== null && linked.node === existing) return;
    if (existing) remove(path, parent.node, name);
    parent.node.children.set(name, await write(entry, body, { layer, path, parent, linked }));
  });
}

function countEntry(unpacking: Unpacking): void {
  unpacking.entries += 1;
  if (unpacking.entries > unpacking.limits.entries)
    throw invalid(`more than ${unpacking.limits.entries} entries`);
}

interface Target {
  layer: number;
  path: string;
  parent: Place;
  linked: { node: FileNode; path: string } | null;
}

async function write(entry: TarEntry, body: AsyncIterable<Buffer>, target: Target): Promise<TreeNode> {
  const { layer, path, parent, linked } = target;
  if (entry.type === 'directory') {
    mkdirSync(path, 0o755);
    return newDirectory(layer, entry.mode);
  }
  if (entry.type === 'symlink') {
    if (entry.target === '') throw invalid(`a symlink to nowhere: ${JSON.stringify(entry.path)}`);
    if (Buffer.byteLength(entry.target) > 2048)
      throw invalid(`a symlink that is too long: ${JSON.stringify(entry.path)}`);
    const text = relativeTarget(parent.real, entry.target);
    symlinkSync(text, path);
    return { kind: 'symlink', layer, target: text };
  }
  if (linked !== null) {
    linkSync(linked.path, path);
    return { ...linked.node, layer };
  }
  // Read-only for all, readable by the owner: an instance must not change what was verified.
  const mode = (entry.mode & 0o555) | 0o400;
  const hash = createHash('sha256');
  const file = openSync(path, NEW_FILE, mode);
  try {
    fchmodSync(file, mode);
    for await (const chunk of body) {
      hash.update(chunk);
      for (let written = 0; written < chunk.length; ) written += writeSync(file, chunk, written);
    }
  } finally {
    closeSync(file);
  }
  return { kind: 'file', mode, layer, size: entry.size, sha256: hash.digest('hex') };
}

/** The directory of an entry; missing ones are made, as archives may leave them out. */
function placeOf(unpacking: Unpacking, layer: number, parts: readonly string[]): Place {
  const place = walkTo(unpacking.tree, parts, unpacking.limits, (parent, name) => {
    countEntry(unpacking);
    const made = newDirectory(layer);
    mkdirSync(join(unpacking.directory, ...parent.real, name), 0o755);
    parent.node.children.set(name, made);
    return made;
  });
  if (place === null) throw invalid('a path without a directory');
  return place;
}

function findFile(unpacking: Unpacking, entry: TarEntry): { node: FileNode; path: string } {
  const parts = splitPath(entry.target, unpacking.limits);
  const name = parts.pop();
  const place = name === undefined ? null : walkTo(unpacking.tree, parts, unpacking.limits, () => null);
  const node = name === undefined ? undefined : place?.node.children.get(name);
  if (node?.kind !== 'file') {
    throw invalid(
      `a hard link to what is not a file: ${JSON.stringify(entry.path)} -> ${JSON.stringify(entry.target)}`,
    );
  }
  return { node, path: join(unpacking.directory, ...place!.real, name!) };
}

/** A whiteout hides what lower layers wrote, wherever in the archive it stands; what this layer wrote stays. */
function whiteOut(unpacking: Unpacking, layer: number, parts: readonly string[], marker: string): void {
  if (marker === OPAQUE) {
    const place = walkTo(unpacking.tree, parts, unpacking.limits, () => null);
    for (const name of [...(place?.node.children.keys() ?? [])]) hide(unpacking, layer, place!, name);
    return;
  }
  // Bookkeeping of an old union file system, no part of the image.
  if (marker.startsWith('.wh..wh.')) return;
  const name = marker.slice(WHITEOUT.length);
  if (name === '' || name === '.' || name === '..')
    throw invalid(`a whiteout of nothing: ${JSON.stringify(marker)}`);
  const place = walkTo(unpacking.tree, parts, unpacking.limits, () => null);
  if (place?.node.children.has(name)) hide(unpacking, layer, place, name);
}

function hide(unpacking: Unpacking, layer: number, place: Place, name: string): void {
  const node = place.node.children.get(name)!;
  if (node.kind === 'directory' && holdsLayer(node, layer)) {
    const inside: Place = { node, real: [...place.real, name] };
    for (const child of [...node.children.keys()]) hide(unpacking, layer, inside, child);
    return;
  }
  if (node.layer !== layer) remove(join(unpacking.directory, ...place.real, name), place.node, name);
}

function holdsLayer(node: TreeNode, layer: number): boolean {
  if (node.layer === layer) return true;
  if (node.kind !== 'directory') return false;
  for (const child of node.children.values()) if (holdsLayer(child, layer)) return true;
  return false;
}

function remove(path: string, parent: DirectoryNode, name: string): void {
  rmSync(path, { recursive: true, force: true });
  parent.children.delete(name);
}
