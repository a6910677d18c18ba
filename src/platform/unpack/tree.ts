import { invalid } from './invalid.ts';
import type { UnpackLimits } from './limits.ts';

/**
 * The tree being unpacked, kept in memory so that every decision about a path is taken on what was written and never on
 * what a path on disk resolves to: no symlink of an image is ever followed by the file system while it is unpacked.
 */
export type TreeNode = DirectoryNode | FileNode | SymlinkNode;

export interface DirectoryNode {
  kind: 'directory';
  mode: number;
  /** Index of the layer that wrote it: whiteouts remove only what lower layers wrote. */
  layer: number;
  children: Map<string, TreeNode>;
}

export interface FileNode {
  kind: 'file';
  mode: number;
  layer: number;
  size: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface SymlinkNode {
  kind: 'symlink';
  layer: number;
  target: string;
}

export const DIRECTORY_MODE = 0o755;
const MAX_LINK_HOPS = 40;

export function newDirectory(layer: number, mode = DIRECTORY_MODE): DirectoryNode {
  return { kind: 'directory', mode, layer, children: new Map() };
}

/** The parts of a path below the root. `..` is refused, not resolved; the root itself gives an empty list. */
export function splitPath(path: string, limits: UnpackLimits): string[] {
  if (Buffer.byteLength(path) > limits.pathBytes) throw invalid('a path that is too long');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(`a path that climbs out of its folder: ${JSON.stringify(path)}`);
  if (parts.length > limits.depth)
    throw invalid(`a path deeper than ${limits.depth}: ${JSON.stringify(path)}`);
  if (parts.some((part) => Buffer.byteLength(part) > limits.nameBytes)) {
    throw invalid(`a file name longer than ${limits.nameBytes} bytes: ${JSON.stringify(path)}`);
  }
  return parts;
}

/** A directory reached without any symlink: `real` are the parts of its true path below the root. */
export interface Place {
  node: DirectoryNode;
  real: string[];
}

/**
 * Walks to the directory `parts`, following symlinks as a process with this root would (absolute ones start at the root,
 * `..` stays at the root). Missing directories come from `create`; null when it returns null.
 */
export function walkTo(
  root: DirectoryNode,
  parts: readonly string[],
  limits: UnpackLimits,
  create: (parent: Place, name: string) => DirectoryNode | null,
): Place | null {
  const pending = [...parts].reverse();
  const stack: Place[] = [{ node: root, real: [] }];
  let hops = 0;
  while (pending.length > 0) {
    const part = pending.pop()!;
    if (part === '..') {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const here = stack.at(-1)!;
    const child = here.node.children.get(part) ?? create(here, part);
    if (child === null) return null;
    if (child.kind === 'file')
      throw invalid(`a file used as a directory: ${JSON.stringify([...here.real, part].join('/'))}`);
    if (child.kind === 'symlink') {
      if (++hops > MAX_LINK_HOPS)
        throw invalid(`a loop of symlinks at ${JSON.stringify([...here.real, part].join('/'))}`);
      if (child.target.startsWith('/')) stack.length = 1;
      pending.push(...linkParts(child.target).reverse());
      continue;
    }
    if (here.real.length + 1 > limits.depth) throw invalid(`a path deeper than ${limits.depth}`);
    stack.push({ node: child, real: [...here.real, part] });
  }
  return stack.at(-1)!;
}

function linkParts(target: string): string[] {
  return target.split('/').filter((part) => part !== '' && part !== '.');
}

/** `target` of a link in the directory `real`, written so that it stays below the root without a changed root. */
export function relativeTarget(real: readonly string[], target: string): string {
  if (!target.startsWith('/')) return target;
  return [...real.map(() => '..'), ...linkParts(target)].join('/') || '.';
}

/**
 * The law that makes a tree safe for a process whose root is the machine's: following any symlink, with what is really
 * there, never steps above the tree. Throws on the first that does. A part that is missing counts as a directory.
 */
export function refuseEscapes(root: DirectoryNode): void {
  const visit = (place: Place, ancestors: DirectoryNode[]): void => {
    for (const [name, child] of place.node.children) {
      if (child.kind === 'directory')
        visit({ node: child, real: [...place.real, name] }, [...ancestors, child]);
      if (child.kind === 'symlink' && escapes(ancestors, child.target)) {
        const path = JSON.stringify([...place.real, name].join('/'));
        throw invalid(`a symlink that leaves the image: ${path} -> ${JSON.stringify(child.target)}`);
      }
    }
  };
  visit({ node: root, real: [] }, [root]);
}

function escapes(ancestors: readonly DirectoryNode[], target: string): boolean {
  if (target.startsWith('/')) return true;
  const stack: (DirectoryNode | null)[] = [...ancestors];
  const pending = linkParts(target).reverse();
  let hops = 0;
  while (pending.length > 0) {
    const part = pending.pop()!;
    if (part === '..') {
      if (stack.length === 1) return true;
      stack.pop();
      continue;
    }
    const child = stack.at(-1)?.children.get(part);
    if (child?.kind === 'symlink') {
      // The kernel gives up on a loop; so nothing is reached through it.
      if (++hops > MAX_LINK_HOPS) return false;
      if (child.target.startsWith('/')) return true;
      pending.push(...linkParts(child.target).reverse());
    } else {
      stack.push(child?.kind === 'directory' ? child : null);
    }
  }
  return false;
}
