import type { LockedPackage } from './lockfile.ts';

/**
 * Node's own resolution over the locked tree: the package a require of `name` from `path` gets, links followed. Null when
 * it is not installed.
 */
export function resolveFrom(
  packages: ReadonlyMap<string, LockedPackage>,
  path: string,
  name: string,
): LockedPackage | null {
  for (let folder: string | null = path; folder !== null; folder = parentOf(folder)) {
    const found = packages.get(folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`);
    if (!found) continue;
    return found.linkTo === null ? found : (packages.get(found.linkTo) ?? null);
  }
  return null;
}

function parentOf(path: string): string | null {
  if (path === '') return null;
  const inside = path.lastIndexOf('/node_modules/');
  if (inside !== -1) return path.slice(0, inside);
  if (path.startsWith('node_modules/')) return '';
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}
