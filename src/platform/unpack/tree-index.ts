import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import type { DirectoryNode } from './tree.ts';

/** One thing in an unpacked tree, by its true path. */
export type IndexEntry =
  | { path: string; type: 'directory'; mode: number }
  | { path: string; type: 'file'; mode: number; size: number; sha256: string }
  | { path: string; type: 'symlink'; target: string };

/** What an unpacked tree must be, sorted by path. */
export interface TreeIndex {
  entries: readonly IndexEntry[];
}

/** Directories of an unpacked image are readable and searchable for all and writable for nobody. */
export const SEALED_DIRECTORY_MODE = 0o555;

export function indexOf(tree: DirectoryNode): TreeIndex {
  const entries: IndexEntry[] = [];
  const visit = (node: DirectoryNode, prefix: string): void => {
    for (const [name, child] of node.children) {
      const path = prefix + name;
      if (child.kind === 'directory') {
        entries.push({ path, type: 'directory', mode: SEALED_DIRECTORY_MODE });
        visit(child, `${path}/`);
      } else if (child.kind === 'file') {
        entries.push({ path, type: 'file', mode: child.mode, size: child.size, sha256: child.sha256 });
      } else {
        entries.push({ path, type: 'symlink', target: child.target });
      }
    }
  };
  visit(tree, '');
  return { entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

export function sealDirectories(directory: string, node: DirectoryNode): void {
  for (const [name, child] of node.children) {
    if (child.kind === 'directory') sealDirectories(join(directory, name), child);
  }
  chmodSync(directory, SEALED_DIRECTORY_MODE);
}

/** Identity of a tree: changes with any path, type, mode, target or content. */
export function treeDigest(index: TreeIndex): Digest {
  return sha256(JSON.stringify(index.entries));
}
