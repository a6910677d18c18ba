import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';
import { usage } from './errors.ts';
import type { Io } from './io.ts';

/** One server the person works with. */
export interface Profile {
  name: string;
  url: string;
  /** Read when it is needed: a file that is not there matters only to who uses the profile. */
  token(): Promise<string | null>;
}

export interface Profiles {
  path: string;
  exists: boolean;
  current: string | null;
  profiles: ReadonlyMap<string, Profile>;
  /** What is unwise about the file. */
  warning: string | null;
}

const MAX_BYTES = 65_536;

export function profilePath({ env }: Pick<Io, 'env'>): string {
  if (env.SLIPWAY_CONFIG) return resolve(env.SLIPWAY_CONFIG);
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'slipway', 'config.json');
}

/**
 * Reads the profile file: `{"url": …, "tokenFile": …}` for one server, or `{"current": "a", "profiles": {"a": {…}}}` for
 * several. A token may stand in the file itself (`token`) when only its owner can read it. No file is no profile.
 */
export async function readProfiles(io: Pick<Io, 'env'>): Promise<Profiles> {
  const path = profilePath(io);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw new SlipwayError('invalid_config', `${path} cannot be read: ${error.code}`);
  });
  if (text === null) return { path, exists: false, current: null, profiles: new Map(), warning: null };
  const value = parse(path, text);
  const profiles = new Map<string, Profile>();
  const listed = isObject(value.profiles)
    ? value.profiles
    : value.url === undefined
      ? {}
      : { default: value };
  for (const [name, entry] of Object.entries(listed)) profiles.set(name, toProfile(path, name, entry));
  const current =
    typeof value.current === 'string' ? value.current : profiles.has('default') ? 'default' : null;
  const { mode } = await stat(path);
  const open = /"token"\s*:/.test(text) && (mode & 0o077) !== 0;
  return {
    path,
    exists: true,
    current,
    profiles,
    warning: open ? `others can read the token in ${path}; run: chmod 600 ${path}` : null,
  };
}

export function findProfile(found: Profiles, name: string): Profile {
  const profile = found.profiles.get(name);
  if (profile) return profile;
  const names = [...found.profiles.keys()];
  throw usage(
    `there is no profile "${name}" in ${found.path}`,
    names.length > 0 ? `profiles: ${names.join(', ')}` : 'the file has none',
  );
}

function parse(path: string, text: string): Record<string, unknown> {
  if (text.length > MAX_BYTES)
    throw new SlipwayError('invalid_config', `${path} is longer than ${MAX_BYTES} bytes`);
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new SlipwayError('invalid_config', `${path} is not JSON: ${(cause as Error).message}`);
  }
  throw new SlipwayError('invalid_config', `${path} holds no JSON object`);
}

function toProfile(path: string, name: string, entry: unknown): Profile {
  const { url, token, tokenFile } = isObject(entry) ? entry : {};
  if (typeof url !== 'string')
    throw new SlipwayError('invalid_config', `${path}: the profile "${name}" has no "url"`);
  const read = async () => {
    if (typeof token === 'string') return token;
    return typeof tokenFile === 'string' ? readTokenFile(resolve(dirname(path), tokenFile)) : null;
  };
  return { name, url, token: read };
}

export async function readTokenFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usage(`the token file ${path} cannot be read: ${error.code}`);
  });
  if (text.length > 4_096) throw usage(`the token file ${path} is too long for a token`);
  return text.trim();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
