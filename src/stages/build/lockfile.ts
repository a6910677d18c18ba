import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Material } from './report.ts';

const MAX_LOCKFILE_BYTES = 64 * 1024 * 1024;
const MAX_MATERIALS = 20_000;
const OTHER_LOCKFILES = ['yarn.lock', 'pnpm-lock.yaml', 'bun.lock', 'bun.lockb'];
const DEPENDENCY_FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

type Fields = Record<string, unknown>;

/**
 * Checks that the dependencies of the package at the root are locked, and gives what the lockfile pins. A missing,
 * unreadable or outdated lockfile is `lockfile_broken`. A source without package.json has nothing to lock.
 */
export async function readLockedDependencies(root: string): Promise<Material[]> {
  const text = await readSmall(join(root, 'package.json'));
  if (text === null) return [];
  const manifest = parse(text, 'package.json', 'invalid_input');
  const declared = declaredDependencies(manifest);
  for (const name of ['npm-shrinkwrap.json', 'package-lock.json']) {
    const lock = await readSmall(join(root, name));
    if (lock !== null) return checkNpmLock(parse(lock, name, 'lockfile_broken'), declared, name);
  }
  if (Object.keys(declared).length === 0) return [];
  for (const name of OTHER_LOCKFILES) if ((await readSmall(join(root, name))) !== null) return [];
  throw new SlipwayError(
    'lockfile_broken',
    'package.json has dependencies, but the repository has no lockfile',
    {
      hint: 'run npm install and commit package-lock.json',
    },
  );
}

/** Pure part: the lockfile must name the same direct dependencies as package.json. */
export function checkNpmLock(
  lock: Fields,
  declared: Readonly<Record<string, string>>,
  name: string,
): Material[] {
  const packages = lock.packages as Record<string, Fields> | undefined;
  if (typeof packages !== 'object' || packages === null) {
    throw broken(
      `${name} has no "packages"`,
      'its version is too old: run npm install --lockfile-version 3 and commit it',
    );
  }
  const locked = declaredDependencies(packages[''] ?? {});
  for (const dependency of new Set([...Object.keys(declared), ...Object.keys(locked)])) {
    const [wanted, found] = [declared[dependency], locked[dependency]];
    if (wanted === found) continue;
    const difference =
      found === undefined ? 'is not in' : wanted === undefined ? 'is only in' : 'has another version in';
    throw broken(
      `${dependency} ${difference} ${name}`,
      'run npm install and commit the lockfile with package.json',
    );
  }
  return materialsOf(packages);
}

function materialsOf(packages: Readonly<Record<string, Fields>>): Material[] {
  const found = new Map<string, Material>();
  for (const [place, fields] of Object.entries(packages)) {
    const { version, integrity } = fields;
    const name =
      typeof fields.name === 'string' ? fields.name : place.slice(place.lastIndexOf('node_modules/') + 13);
    if (!place.includes('node_modules/') || typeof version !== 'string' || typeof integrity !== 'string')
      continue;
    const digest = integrityDigest(integrity);
    if (!digest)
      throw broken(
        `${name} has an integrity that is none: ${integrity.slice(0, 80)}`,
        'run npm install and commit the lockfile',
      );
    const uri = `pkg:npm/${name.split('/').map(encodeURIComponent).join('/')}@${encodeURIComponent(version)}`;
    found.set(uri, { uri, digest });
    if (found.size > MAX_MATERIALS)
      throw broken(`the lockfile names more than ${MAX_MATERIALS} packages`, 'split the package');
  }
  return [...found.values()].sort((a, b) => (a.uri < b.uri ? -1 : 1));
}

/** The strongest hash of a subresource integrity string, as hex. */
function integrityDigest(integrity: string): Record<string, string> | null {
  const hashes = new Map<string, string>();
  for (const part of integrity.split(/\s+/)) {
    const match = /^(sha512|sha384|sha256|sha1)-([A-Za-z0-9+/]+={0,2})$/.exec(part);
    if (match?.[1] && match[2]) hashes.set(match[1], Buffer.from(match[2], 'base64').toString('hex'));
  }
  for (const algorithm of ['sha512', 'sha384', 'sha256', 'sha1']) {
    const hex = hashes.get(algorithm);
    if (hex !== undefined) return { [algorithm]: hex };
  }
  return null;
}

function declaredDependencies(manifest: Fields): Record<string, string> {
  const found: Record<string, string> = {};
  for (const field of DEPENDENCY_FIELDS) {
    const section = manifest[field];
    if (typeof section !== 'object' || section === null || Array.isArray(section)) continue;
    for (const [name, range] of Object.entries(section)) found[name] = String(range);
  }
  return found;
}

async function readSmall(path: string): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return null;
    if (stat.size > MAX_LOCKFILE_BYTES)
      throw broken(`${path.split('/').at(-1)} is larger than ${MAX_LOCKFILE_BYTES} bytes`, 'split it');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function parse(text: string, name: string, code: 'invalid_input' | 'lockfile_broken'): Fields {
  try {
    const value: unknown = JSON.parse(text.replace(/^\u{feff}/u, ''));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/\s+/g, ' ').slice(0, 160) : '';
    throw new SlipwayError(code, `${name} is not JSON: ${why}`, {
      hint: `mend ${name} and commit it`,
      cause,
    });
  }
  throw new SlipwayError(code, `${name} is not a JSON object`, { hint: `mend ${name} and commit it` });
}

function broken(message: string, hint: string): SlipwayError {
  return new SlipwayError('lockfile_broken', message, { hint });
}
