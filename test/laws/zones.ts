/**
 * Who may import whom: the table of ARCHITECTURE.md as data. A zone is the first entry whose folder holds the file; a
 * file may import its own zone and the zones named. What is not listed is forbidden.
 */
export interface Zone {
  name: string;
  /** Paths that begin with this belong to it. */
  at: string;
  may: readonly string[];
  /** Packages and node: modules it may load; absent: any. */
  packages?: RegExp;
}

const EVERYTHING = ['*'];

export const ZONES: readonly Zone[] = [
  { name: 'kernel', at: 'src/kernel/', may: [], packages: /^node:crypto$/ },
  { name: 'platform', at: 'src/platform/', may: ['kernel'] },
  ...['config', 'access', 'ledger', 'secrets'].map((name) => ({
    name: `support/${name}`,
    at: `src/support/${name}/`,
    may: ['kernel', 'platform', 'support/config'],
  })),
  ...[
    'source',
    'build',
    'registry',
    'attest',
    'scan',
    'gate',
    'promote',
    'rollout',
    'analyze',
    'observe',
  ].map((name) => ({
    name: `stages/${name}`,
    at: `src/stages/${name}/`,
    may: ['kernel', 'platform', 'support/*'],
  })),
  { name: 'router', at: 'src/router/', may: ['kernel', 'platform'] },
  { name: 'agent', at: 'src/agent/', may: ['kernel', 'platform'] },
  { name: 'up', at: 'src/up/', may: ['kernel', 'platform'] },
  { name: 'flow', at: 'src/flow', may: ['kernel', 'platform', 'support/*', 'stages/*'] },
  { name: 'server', at: 'src/server/', may: ['flow', 'kernel', 'platform', 'support/*', 'stages/*'] },
  { name: 'worker', at: 'src/worker/', may: ['flow', 'kernel', 'platform', 'support/*', 'stages/*'] },
  { name: 'cli', at: 'src/cli/', may: ['kernel'] },
  { name: 'web', at: 'web/src/', may: ['kernel'], packages: /^(?!node:)/ },
  { name: 'main', at: 'src/', may: EVERYTHING },
  ...['web/', 'script/', 'sim/', 'bench/', 'test/', 'examples/platform/'].map((at) => ({
    name: at.slice(0, -1),
    at,
    may: EVERYTHING,
  })),
];

export function zoneOf(path: string): Zone | undefined {
  return ZONES.find((zone) => path.startsWith(zone.at));
}

/** Why `from` may not import the file `to`; null when it may. */
export function forbidden(from: string, to: string): string | null {
  const source = zoneOf(from);
  const target = zoneOf(to);
  if (!source) return `${from} lies in no zone of the import table`;
  if (!target) return `${to} lies in no zone of the import table`;
  if (source.name === target.name) return null;
  const allowed = source.may.some(
    (name) =>
      name === '*' ||
      name === target.name ||
      (name.endsWith('/*') && target.name.startsWith(name.slice(0, -1))),
  );
  return allowed ? null : `${source.name} may not import ${target.name}`;
}
