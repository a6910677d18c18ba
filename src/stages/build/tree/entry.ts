/** One thing in a tree of files, as builds see it: nothing but type, content and whether it can be run. */
export interface TreeEntry {
  /** Relative, with `/`, without `.` and `..`. */
  path: string;
  type: 'file' | 'directory' | 'symlink';
  /** 0644 or 0755; directories 0755. All other bits (setuid, group) are dropped. */
  mode: number;
  /** Bytes of a file; else 0. */
  size: number;
  /** Of a symlink; else empty. */
  target: string;
  /** Hex SHA-256 of a file's bytes; else empty. */
  sha256: string;
}

/** Where the bytes of an entry are: a tree on disk, or the outputs of a step. */
export interface PlacedEntry<Origin> {
  entry: TreeEntry;
  origin: Origin;
}

/** Trees beyond this are refused: they would not fit into memory as a list. */
export const MAX_ENTRIES = 400_000;
export const MAX_PATH_BYTES = 3_072;
export const MAX_TREE_BYTES = 16 * 1024 ** 3;

/** By code units, so that it does not depend on a locale. A directory comes before what it holds. */
export function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

export function directoryEntry(path: string): TreeEntry {
  return { path, type: 'directory', mode: 0o755, size: 0, target: '', sha256: '' };
}

/** `a/b/c` gives `a`, `a/b`. */
export function ancestorPaths(path: string): string[] {
  const found: string[] = [];
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
    found.push(path.slice(0, slash));
  return found;
}

/**
 * Lays trees over each other, later ones on top, as if each were unpacked over the last: a file or link replaces a
 * directory with all it holds, and the other way round. In the result every ancestor of an entry is a directory, so a
 * writer that follows it never passes through a symlink, whatever the trees hold.
 */
export function overlay<Origin>(
  trees: readonly { entries: readonly TreeEntry[]; origin: Origin }[],
): PlacedEntry<Origin>[] {
  const merged = new Map<string, PlacedEntry<Origin>>();
  for (const { entries, origin } of trees) {
    const shadowed = new Set<string>();
    for (const entry of entries) {
      for (const path of ancestorPaths(entry.path)) {
        if (merged.get(path)?.entry.type !== 'directory')
          merged.set(path, { entry: directoryEntry(path), origin });
      }
      const below = merged.get(entry.path);
      if (below?.entry.type === 'directory' && entry.type !== 'directory') shadowed.add(entry.path);
      merged.set(entry.path, { entry, origin });
    }
    if (shadowed.size === 0) continue;
    for (const path of [...merged.keys()]) {
      if (ancestorPaths(path).some((ancestor) => shadowed.has(ancestor))) merged.delete(path);
    }
  }
  return [...merged.values()].sort((a, b) => byPath(a.entry, b.entry));
}
