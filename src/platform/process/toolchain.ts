import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** The Node.js that builds use: the running one, and the npm that belongs to this machine's PATH. */
export interface Toolchain {
  nodePath: string;
  nodeVersion: string;
  /** C headers for native modules; null when the installation has none. */
  includeDirectory: string | null;
  /** npm's package directory and version; null when the machine has none. */
  npm: { directory: string; version: string } | null;
  os: string;
  arch: string;
  /** `debian 12`: the system libraries that steps see. */
  distribution: string;
}

/** Looks once at start; reads only the file system. `path` is a PATH variable. */
export function findToolchain(path: string): Toolchain {
  const nodePath = realpathSync(process.execPath);
  const include = join(dirname(dirname(nodePath)), 'include', 'node');
  return {
    nodePath,
    nodeVersion: process.versions.node,
    includeDirectory: existsSync(include) ? include : null,
    npm: findNpm(path, nodePath),
    os: process.platform,
    arch: process.arch,
    distribution: readDistribution(),
  };
}

/** What enters cache keys and provenance: versions only, no paths. */
export function toolchainVersions(toolchain: Toolchain): Record<string, string> {
  return {
    node: toolchain.nodeVersion,
    npm: toolchain.npm?.version ?? 'none',
    os: toolchain.os,
    arch: toolchain.arch,
    distribution: toolchain.distribution,
    zlib: process.versions.zlib ?? 'unknown',
    zstd: process.versions.zstd ?? 'unknown',
  };
}

function findNpm(path: string, nodePath: string): Toolchain['npm'] {
  const candidates = path
    .split(delimiter)
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, 'npm'));
  for (const candidate of candidates) {
    try {
      // .../npm/bin/npm-cli.js; a shell wrapper of a version manager is passed over.
      const found = readNpm(dirname(dirname(realpathSync(candidate))));
      if (found) return found;
    } catch {
      // not in this directory
    }
  }
  const known = [
    join(dirname(dirname(nodePath)), 'lib/node_modules/npm'),
    '/usr/lib/node_modules/npm',
    '/usr/share/nodejs/npm',
  ];
  for (const directory of known) {
    const found = readNpm(directory);
    if (found) return found;
  }
  return null;
}

function readNpm(directory: string): Toolchain['npm'] {
  try {
    const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    if (manifest.name !== 'npm' || typeof manifest.version !== 'string') return null;
    return existsSync(join(directory, 'bin/npm-cli.js')) ? { directory, version: manifest.version } : null;
  } catch {
    return null;
  }
}

function readDistribution(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
    return `${field('ID')} ${field('VERSION_ID')}`.trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
