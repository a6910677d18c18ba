import { type Diagnostic, SlipwayError } from '../../../kernel/errors.ts';
import { isRecord, parseJson } from '../json.ts';

/** One place in the tree npm installs. */
export interface LockedPackage {
  /** Where: `` for the root, `node_modules/a/node_modules/b`, `packages/web`. */
  path: string;
  /** The real name, also of an alias or a workspace. */
  name: string;
  version: string | null;
  /** For a workspace's link in node_modules: the path it leads to. */
  linkTo: string | null;
  resolved: string | null;
  /** Subresource integrity, as npm wrote it. */
  integrity: string | null;
  license: string | null;
  dev: boolean;
  optional: boolean;
  /** Names it asks for; what npm did not install (a foreign platform's optional) is simply not found. */
  wants: readonly string[];
}

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_PACKAGES = 100_000;
const MAX_PATH = 1_000;

/**
 * Reads an npm package-lock.json of version 2 or 3. The file comes from a repository, so from anybody.
 * Error: `lockfile_broken`, with what and where.
 */
export function parseLockfile(file: string, bytes: Uint8Array): Map<string, LockedPackage> {
  if (bytes.length > MAX_BYTES) throw broken(file, `it has more than ${MAX_BYTES} bytes`);
  const value = parseJson(bytes);
  if (!isRecord(value)) throw broken(file, jsonProblem(bytes));
  if (value.lockfileVersion !== 2 && value.lockfileVersion !== 3) {
    const found = JSON.stringify(value.lockfileVersion) ?? 'none';
    throw broken(
      file,
      `its lockfileVersion is ${found.slice(0, 40)}, and 2 or 3 is read`,
      'Run: npm install --lockfile-version 3',
    );
  }
  if (!isRecord(value.packages)) throw broken(file, 'it has no "packages"');
  const entries = Object.entries(value.packages);
  if (entries.length > MAX_PACKAGES) throw broken(file, `it has more than ${MAX_PACKAGES} packages`);
  const packages = new Map<string, LockedPackage>();
  for (const [path, entry] of entries) {
    if (!isRecord(entry))
      throw broken(file, `packages[${JSON.stringify(path.slice(0, 200))}] is not an object`);
    if (path.length > MAX_PATH) throw broken(file, `a path in it has more than ${MAX_PATH} characters`);
    packages.set(path, readPackage(file, path, entry));
  }
  return packages;
}

function readPackage(file: string, path: string, entry: Record<string, unknown>): LockedPackage {
  const text = (key: string, max = 4_000): string | null => {
    const value = entry[key];
    if (value === undefined || value === null) return null;
    if (typeof value === 'string' && value.length <= max) return value;
    throw broken(
      file,
      `packages[${JSON.stringify(path.slice(0, 200))}].${key} is not a text of at most ${max} characters`,
    );
  };
  const link = entry.link === true;
  const resolved = text('resolved');
  // npm writes license as an object only for packages older than any rule about it.
  const license = typeof entry.license === 'string' ? text('license') : null;
  return {
    path,
    name: text('name', 300) ?? nameOf(path),
    version: text('version', 300),
    linkTo: link ? resolved : null,
    resolved: link ? null : resolved,
    integrity: text('integrity'),
    license,
    dev: entry.dev === true,
    optional: entry.optional === true || entry.devOptional === true,
    wants: wantsOf(entry),
  };
}

/** What follows the last `node_modules/`; of a workspace the folder's name. */
function nameOf(path: string): string {
  const marker = 'node_modules/';
  const at = path.lastIndexOf(marker);
  return at === -1 ? path.slice(path.lastIndexOf('/') + 1) : path.slice(at + marker.length);
}

function wantsOf(entry: Record<string, unknown>): string[] {
  const names = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'].flatMap(
    (key) => (isRecord(entry[key]) ? Object.keys(entry[key] as Record<string, unknown>) : []),
  );
  return [...new Set(names)].sort();
}

/** Line and column, where the JSON parser says them. */
function jsonProblem(bytes: Uint8Array): string {
  try {
    JSON.parse(Buffer.from(bytes).toString('utf8'));
    return 'it is not a JSON object';
  } catch (error) {
    const place = /\(line \d+ column \d+\)/.exec((error as Error).message)?.[0];
    return `it is not JSON${place ? ` ${place}` : ''}`;
  }
}

function broken(
  file: string,
  problem: string,
  hint = 'Run npm install and commit the lockfile.',
): SlipwayError {
  const diagnostic: Diagnostic = { path: file, message: problem, hint };
  return new SlipwayError('lockfile_broken', `${file}: ${problem}`, { hint, diagnostics: [diagnostic] });
}
