import * as SPDX from '@cyclonedx/cyclonedx-library/SPDX';
import { withoutCredentials } from '../urls.ts';
import type { LockedPackage } from './lockfile.ts';
import { purlOf } from './purl.ts';

/** A component as CycloneDX 1.6 writes it. */
export interface Component {
  type: 'library' | 'application';
  'bom-ref': string;
  name: string;
  group?: string;
  version?: string;
  scope?: 'required' | 'optional' | 'excluded';
  purl?: string;
  hashes?: { alg: string; content: string }[];
  licenses?: unknown[];
  externalReferences?: { type: string; url: string }[];
  properties?: { name: string; value: string }[];
}

/** The same package of the same origin is one component, however often it is installed. */
export function refOf(locked: LockedPackage): string {
  return purlOf(locked) ?? `npm:${locked.name}@${locked.version ?? ''}`;
}

/** `places` are all its installations; it counts as needed at run time when one of them is. */
export function componentOf(
  places: readonly [LockedPackage, ...LockedPackage[]],
  files: readonly string[],
): Component {
  const [locked] = places;
  const slash = locked.name.startsWith('@') ? locked.name.indexOf('/') : -1;
  const purl = purlOf(locked);
  const hashes = hashesOf(places.map((place) => place.integrity));
  const licenses = licensesOf(locked.license);
  const url =
    locked.resolved !== null && /^[a-z+]+:\/\//.test(locked.resolved)
      ? withoutCredentials(locked.resolved)
      : null;
  return {
    type: 'library',
    'bom-ref': refOf(locked),
    ...(slash === -1 ? {} : { group: locked.name.slice(0, slash) }),
    name: locked.name.slice(slash + 1),
    ...(locked.version === null ? {} : { version: locked.version }),
    scope: scopeOf(places),
    ...(hashes.length > 0 ? { hashes } : {}),
    ...(licenses.length > 0 ? { licenses } : {}),
    ...(purl === null ? {} : { purl }),
    ...(url === null ? {} : { externalReferences: [{ type: 'distribution', url }] }),
    properties: [
      ...files.map((value) => ({ name: 'cdx:npm:package:path', value })),
      ...(places.every((place) => place.dev) ? [{ name: 'cdx:npm:package:development', value: 'true' }] : []),
    ],
  };
}

function scopeOf(places: readonly LockedPackage[]): 'required' | 'optional' | 'excluded' {
  if (places.some((place) => !place.dev && !place.optional)) return 'required';
  return places.every((place) => place.dev) ? 'excluded' : 'optional';
}

const ALGORITHMS: Readonly<Record<string, [alg: string, bytes: number]>> = {
  sha1: ['SHA-1', 20],
  sha256: ['SHA-256', 32],
  sha384: ['SHA-384', 48],
  sha512: ['SHA-512', 64],
};

/** From subresource integrity; what has not the length of its algorithm is dropped. */
function hashesOf(integrities: readonly (string | null)[]): { alg: string; content: string }[] {
  const found = new Map<string, { alg: string; content: string }>();
  for (const part of integrities.flatMap((text) => text?.split(/\s+/) ?? [])) {
    const [name = '', encoded = ''] = part.split(/-(.*)/s);
    const known = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined;
    const bytes = Buffer.from(encoded.split('?')[0] ?? '', 'base64');
    if (known?.[1] !== bytes.length) continue;
    const hash = { alg: known[0], content: bytes.toString('hex') };
    found.set(`${hash.alg} ${hash.content}`, hash);
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, hash]) => hash);
}

/** SPDX id where it is one, expression where it reads as one, else the words as they are. */
function licensesOf(license: string | null): unknown[] {
  if (license === null || license.trim() === '') return [];
  const text = license.trim();
  if (SPDX.isSupportedSpdxId(text)) return [{ license: { id: text } }];
  return isExpression(text) ? [{ expression: text }] : [{ license: { name: text } }];
}

function isExpression(text: string): boolean {
  const words = text.replaceAll(/[()]/g, ' ').trim().split(/\s+/);
  if (words.length < 3 || words.length > 60 || !balanced(text)) return false;
  return words.every((word, i) => {
    if (i % 2 === 1) return ['AND', 'OR', 'WITH'].includes(word);
    return words[i - 1] === 'WITH'
      ? /^[A-Za-z0-9.-]+$/.test(word)
      : SPDX.isSupportedSpdxId(word.replace(/\+$/, ''));
  });
}

function balanced(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
