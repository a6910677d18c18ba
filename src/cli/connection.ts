import { resolve } from 'node:path';
import { isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import { usage } from './errors.ts';
import type { Io } from './io.ts';
import type { Local } from './local.ts';
import { findProfile, type Profiles, readProfiles, readTokenFile } from './profile.ts';

/** The connection flags of a command. Tokens are never among them: argv is for everyone to read. */
export interface ConnectionFlags {
  url?: string | undefined;
  data?: string | undefined;
  profile?: string | undefined;
  tokenFile?: string | undefined;
}

/** A place where an address or a token was looked for, in order of precedence. */
export interface Candidate {
  source: string;
  value: string | null;
  /** The one that counts. */
  used: boolean;
}

export interface Connection {
  url: string;
  token: string | null;
  /** Where each came from, best first, also those that were not needed. */
  urls: readonly Candidate[];
  tokens: readonly Candidate[];
  warnings: readonly string[];
}

interface Place {
  source: string;
  url: string | null;
  /** The token that belongs to this address. It is never sent to another one. */
  token(): Promise<string | null>;
  /** Named by a flag: its token comes before the environment's. */
  flag: boolean;
  /** Asked for by name, but not there: no other place is taken in its stead. */
  broken?: unknown;
}

/** Flag, environment, the installation in the data directory, profile: the first that says something counts. */
export async function resolveConnection(io: Io, local: Local, flags: ConnectionFlags): Promise<Connection> {
  const found = await explainConnection(io, local, flags);
  if (found.url === null) {
    throw new SlipwayError(
      'unreachable',
      `no Slipway was found: none has run in ${local.dataDirectory(flags.data)}`,
      {
        hint: 'start one with: slipway up; or name one with SLIPWAY_URL or --url',
      },
    );
  }
  return { ...found, url: found.url };
}

export async function explainConnection(
  io: Io,
  local: Local,
  flags: ConnectionFlags,
): Promise<Omit<Connection, 'url'> & { url: string | null }> {
  const profiles = await readProfiles(io).catch((error: unknown) => ({ broken: error }));
  const places = await placesOf(io, local, flags, profiles);
  const chosen = places.find((place) => place.url !== null || place.broken !== undefined);
  if (chosen?.broken !== undefined) throw chosen.broken;
  const url = chosen?.url ? checkUrl(chosen.url, chosen.source) : null;
  const tokens = await tokensFor(
    io,
    flags,
    url === null ? [] : places.filter((place) => sameOrigin(place.url, url)),
  );
  const used = tokens.findIndex(({ value }) => value !== null);
  const risk = 'broken' in profiles ? null : profiles.warning;
  return {
    url,
    token: tokens[used]?.value ?? null,
    urls: places.map((place) => ({ source: place.source, value: place.url, used: place === chosen })),
    tokens: tokens.map(({ source, value }, index) => ({ source, value, used: index === used })),
    warnings: [risk, url === null ? null : plainText(url)].filter((warning) => warning !== null),
  };
}

/** A token in a file that was named, then of a flag's place, then of the environment, then of the other places. */
async function tokensFor(
  io: Io,
  flags: ConnectionFlags,
  own: readonly Place[],
): Promise<{ source: string; value: string | null }[]> {
  const of = (flag: boolean) =>
    Promise.all(
      own
        .filter((place) => place.flag === flag)
        .map(async ({ source, token }) => ({ source, value: await token() })),
    );
  const file = flags.tokenFile;
  return [
    { source: '--token-file', value: file === undefined ? null : await tokenFrom(io, file) },
    ...(await of(true)),
    { source: 'SLIPWAY_TOKEN', value: io.env.SLIPWAY_TOKEN?.trim() || null },
    ...(await of(false)),
  ];
}

async function placesOf(
  io: Io,
  local: Local,
  flags: ConnectionFlags,
  profiles: Profiles | { broken: unknown },
): Promise<Place[]> {
  const nothing = { url: null, token: async () => null };
  const profile = (source: string, name: string | null | undefined, flag: boolean): Place => {
    if (!name) return { source, ...nothing, flag };
    if ('broken' in profiles) return { source, ...nothing, flag, broken: profiles.broken };
    const { url, token } = findProfile(profiles, name);
    return { source: `${source} ${name}`, url, token, flag };
  };
  const here = await local.connection(flags.data).then(
    ({ url, token }) => ({ url, token: async () => token }),
    (error: unknown) => {
      const optional = flags.data === undefined && io.env.SLIPWAY_DATA === undefined;
      return optional && isSlipwayError(error) && error.code === 'unreachable'
        ? nothing
        : { ...nothing, broken: error };
    },
  );
  const byFlag = flags.data !== undefined;
  const last: Place =
    'broken' in profiles
      ? { source: 'profile file', ...nothing, flag: false, broken: profiles.broken }
      : profile(`profile file ${profiles.path}`, profiles.current, false);
  return [
    { source: '--url', ...nothing, url: flags.url ?? null, flag: true },
    { source: '--data', ...(byFlag ? here : nothing), flag: true },
    profile('--profile', flags.profile, true),
    { source: 'SLIPWAY_URL', ...nothing, url: io.env.SLIPWAY_URL || null, flag: false },
    profile('SLIPWAY_PROFILE', io.env.SLIPWAY_PROFILE, false),
    {
      source: `data directory ${local.dataDirectory(flags.data)}`,
      ...(byFlag ? nothing : here),
      flag: false,
    },
    last,
  ];
}

async function tokenFrom(io: Io, path: string): Promise<string> {
  const token = path === '-' ? (await io.readStdin()).trim() : await readTokenFile(resolve(io.cwd, path));
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw usage('the token file holds no token', 'a token is one line: slp_…');
  return token;
}

export function checkUrl(text: string, source: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw usage(
      `${source} is no http or https address: ${JSON.stringify(text.slice(0, 200))}`,
      'such as http://127.0.0.1:4510',
    );
  if (url.username !== '' || url.password !== '')
    throw usage(
      `${source} holds a name or password; addresses are seen by everyone`,
      'put the token in SLIPWAY_TOKEN or a file',
    );
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function sameOrigin(a: string | null, b: string): boolean {
  return a !== null && URL.canParse(a) && new URL(a).origin === new URL(b).origin;
}

function plainText(url: string): string | null {
  const { protocol, hostname } = new URL(url);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
  return protocol === 'http:' && !loopback ? `the token goes to ${hostname} without encryption (http)` : null;
}
