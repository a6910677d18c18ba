import { hash } from 'node:crypto';
import { canonicalJson } from '../../../kernel/canonical.ts';
import type { AttestationInput } from '../input.ts';
import { type Component, componentOf, refOf } from './component.ts';
import { type LockedPackage, parseLockfile } from './lockfile.ts';
import { resolveFrom } from './resolve.ts';

type SbomInput = Pick<AttestationInput, 'service' | 'commitSha' | 'commitTimeMs' | 'lockfiles'>;

/**
 * CycloneDX 1.6 of everything the service's lockfiles pin: components with purl, hashes, licence and scope, and the whole
 * dependency graph. The same lockfiles and commit give the same bytes: the time is the commit's, the serial number a
 * hash of the content. Error: `lockfile_broken`.
 */
export function sbomPredicate(input: SbomInput): Record<string, unknown> {
  const files = [...input.lockfiles].sort((a, b) => (a.path < b.path ? -1 : 1));
  const graph: Graph = { places: new Map(), edges: new Map() };
  const rootRef = `service:${input.service}`;
  graph.edges.set(rootRef, new Set());
  for (const file of files) collect(graph, rootRef, file.path, parseLockfile(file.path, file.bytes));
  const content = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(input.commitTimeMs).toISOString(),
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', name: 'slipway' }] },
      component: {
        type: 'application',
        'bom-ref': rootRef,
        name: input.service,
        version: input.commitSha,
      } satisfies Component,
    },
    components: componentsOf(graph),
    dependencies: sortedKeys(graph.edges).map((ref) => ({
      ref,
      dependsOn: [...(graph.edges.get(ref) ?? [])].sort(),
    })),
    // Without a lockfile nothing is known about what went in, and that is said.
    compositions: [
      { aggregate: files.length > 0 ? 'incomplete_third_party_only' : 'unknown', assemblies: [rootRef] },
    ],
  };
  return { ...content, serialNumber: serialNumber(canonicalJson(content)) };
}

interface Graph {
  /** By bom-ref: each installation and the place it was found. */
  places: Map<string, { locked: LockedPackage; where: string }[]>;
  edges: Map<string, Set<string>>;
}

/** A lockfile's own root and its workspaces are the service itself, not components. */
function collect(
  graph: Graph,
  rootRef: string,
  file: string,
  packages: ReadonlyMap<string, LockedPackage>,
): void {
  const isOwn = (locked: LockedPackage) => !locked.path.includes('node_modules/');
  for (const locked of packages.values()) {
    if (locked.linkTo !== null) continue;
    const ref = isOwn(locked) ? rootRef : refOf(locked);
    if (!isOwn(locked)) {
      const known = graph.places.get(ref) ?? [];
      known.push({ locked, where: `${file}#${locked.path}` });
      graph.places.set(ref, known);
    }
    const edges = graph.edges.get(ref) ?? new Set();
    graph.edges.set(ref, edges);
    for (const name of locked.wants) {
      const found = resolveFrom(packages, locked.path, name);
      if (found && !isOwn(found) && refOf(found) !== ref) edges.add(refOf(found));
    }
  }
}

function componentsOf(graph: Graph): Component[] {
  return sortedKeys(graph.places).map((ref) => {
    const places = (graph.places.get(ref) ?? []).sort((a, b) => (a.where < b.where ? -1 : 1));
    const [first, ...rest] = places.map((place) => place.locked);
    return componentOf(
      [first as LockedPackage, ...rest],
      places.map((place) => place.where),
    );
  });
}

function sortedKeys(map: ReadonlyMap<string, unknown>): string[] {
  return [...map.keys()].sort();
}

/** A UUID of version 8 (RFC 9562): 122 bits of the content's hash. */
function serialNumber(content: string): string {
  const hex = hash('sha256', content);
  const variant = ((Number.parseInt(hex[16] as string, 16) & 0x3) | 0x8).toString(16);
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return `urn:uuid:${parts.join('-')}`;
}
