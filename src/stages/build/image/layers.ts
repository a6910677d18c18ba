import type { ImageConfig } from '../../../kernel/config.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { compileGlob, matchesAny, matchesGlob } from '../glob.ts';
import { ancestorPaths, byPath, directoryEntry, type PlacedEntry, type TreeEntry } from '../tree/entry.ts';

type LayerConfig = ImageConfig['layers'][number];

/** One entry of a layer: where it stands in the image, and where it comes from (directories made for it: null). */
export interface LayerEntry<Origin> {
  entry: TreeEntry;
  source: { path: string; origin: Origin } | null;
}

/**
 * What a layer holds: everything its `from` patterns take out of the build's tree, less `exclude`, below `to`, sorted, with the
 * directories that lead there. Refuses a pattern that takes nothing (`invalid_config`) and, with no base image, symlinks
 * that lead out of the image (`invalid_input`).
 */
export function planLayer<Origin>(
  layer: LayerConfig,
  tree: readonly PlacedEntry<Origin>[],
  base: string,
): LayerEntry<Origin>[] {
  const from = layer.from.map((pattern) => ({ pattern, glob: compileGlob(pattern), taken: 0 }));
  const exclude = layer.exclude.map(compileGlob);
  const prefix = layer.to
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  if (prefix.split('/').includes('..')) {
    throw new SlipwayError('invalid_config', `layer ${layer.name}: ${layer.to} climbs out of the image`);
  }
  const planned = new Map<string, LayerEntry<Origin>>();
  for (const { entry, origin } of tree) {
    const hits = from.filter(({ glob }) => matchesGlob(glob, entry.path));
    if (hits.length === 0 || matchesAny(exclude, entry.path)) continue;
    for (const hit of hits) hit.taken++;
    const path = prefix === '' ? entry.path : `${prefix}/${entry.path}`;
    if (entry.type === 'symlink') assertInside(layer.name, path, entry.target, base);
    planned.set(path, { entry: { ...entry, path }, source: { path: entry.path, origin } });
  }
  for (const { pattern, taken } of from) if (taken === 0) throw nothingTaken(layer.name, pattern, tree);
  for (const path of [...planned.keys()].flatMap(ancestorPaths)) {
    if (!planned.has(path)) planned.set(path, { entry: directoryEntry(path), source: null });
  }
  return [...planned.values()].sort((a, b) => byPath(a.entry, b.entry));
}

/** A relative link may climb to the image's root, not above. An absolute one needs a base image that can hold its target. */
function assertInside(layer: string, path: string, target: string, base: string): void {
  const absolute = target.startsWith('/');
  let depth = absolute ? 0 : path.split('/').length - 1;
  let outside = absolute && base === 'scratch';
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    depth += part === '..' ? -1 : 1;
    if (depth < 0) outside = true;
  }
  if (!outside) return;
  throw new SlipwayError(
    'invalid_input',
    `layer ${layer}: the symlink ${path} -> ${target} leads out of the image`,
    {
      hint: 'make it relative and keep it inside of the layer, or exclude it',
    },
  );
}

function nothingTaken(layer: string, pattern: string, tree: readonly PlacedEntry<unknown>[]): SlipwayError {
  const top = [...new Set(tree.map(({ entry }) => entry.path.split('/')[0] ?? ''))].slice(0, 12);
  return new SlipwayError('invalid_config', `layer ${layer}: ${pattern} takes nothing`, {
    hint: `the build's tree holds ${top.join(', ') || 'nothing'}; is it among the outputs of a step?`,
  });
}
