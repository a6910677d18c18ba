import { type Digest, isDigest } from '../../kernel/digest.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import { registryError } from './errors.ts';
import { isAnyDigest, isMediaType } from './names.ts';

/** A manifest of up to 4 MiB must be taken (OCI distribution 1.1); larger ones are refused. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
/** Layers of an image or entries of an index. */
const REFERENCES_MAX = 8192;
const ANNOTATION_COUNT_MAX = 4096;

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const KINDS: Readonly<Record<string, 'image' | 'index'>> = {
  [MEDIA.imageManifest]: 'image',
  [MEDIA.imageIndex]: 'index',
  [DOCKER_MANIFEST]: 'image',
  [DOCKER_LIST]: 'index',
};

interface Reference {
  digest: Digest;
  size: number;
}

/** What the registry needs to know of a manifest. Its bytes are kept as they came. */
export interface ManifestFacts {
  mediaType: string;
  kind: 'image' | 'index';
  /** Own artifactType, else the media type of the config; null for an index without one. */
  artifactType: string | null;
  /** May name what is not there (yet), also by an algorithm this registry does not store. */
  subject: string | null;
  annotations: Readonly<Record<string, string>>;
  /** Config and layers of an image, entries of an index: each must be in the repository. */
  references: readonly Reference[];
}

type Members = Record<string, unknown>;

/**
 * Reads a manifest. `contentType` is the request's, without parameters; empty when the client gave none. Throws
 * MANIFEST_INVALID with the reason. A document that could be read as an image and as an index is refused
 * (CVE-2021-41190), as is one whose `mediaType` is not the one it was sent with.
 */
export function parseManifest(bytes: Uint8Array, contentType: string): ManifestFacts {
  const document = parseJson(bytes);
  const own = document.mediaType;
  if (own != null && typeof own !== 'string') throw invalid('mediaType is not a string');
  const mediaType = contentType || own || '';
  if (own && own !== mediaType) throw invalid(`mediaType ${shown(own)} was sent as ${shown(mediaType)}`);
  const kind = Object.hasOwn(KINDS, mediaType) ? KINDS[mediaType] : undefined;
  if (!kind) throw invalid(`media type ${shown(mediaType)} is not an image manifest or index`);
  if (document.schemaVersion !== 2) throw invalid('schemaVersion is not 2');
  const foreign = kind === 'image' ? ['manifests'] : ['layers', 'config', 'fsLayers'];
  for (const member of foreign) {
    if (document[member] != null) throw invalid(`an ${kind} may not have ${member}`);
  }
  const stated = optionalMediaType(document.artifactType, 'artifactType');
  const config = kind === 'image' ? descriptor(document.config, 'config') : null;
  const entries = list(
    kind === 'image' ? document.layers : document.manifests,
    kind === 'image' ? 'layers' : 'manifests',
  );
  const references = [...(config ? [config] : []), ...entries]
    .filter((entry) => !entry.elsewhere)
    .map(toReference);
  return {
    mediaType,
    kind,
    artifactType: stated || config?.mediaType || null,
    subject: document.subject == null ? null : descriptor(document.subject, 'subject').digest,
    annotations: stringMap(document.annotations),
    references,
  };
}

function parseJson(bytes: Uint8Array): Members {
  let value: unknown;
  try {
    // ignoreBOM keeps a byte order mark in the text, where JSON.parse refuses it.
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw invalid('not JSON in UTF-8');
  }
  if (!isObject(value)) throw invalid('not a JSON object');
  return value;
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface ParsedDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  /** Layers that licences keep out of registries name where they are. */
  elsewhere: boolean;
}

function descriptor(value: unknown, where: string): ParsedDescriptor {
  if (!isObject(value)) throw invalid(`${where} is not a descriptor`);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string' || !isMediaType(mediaType))
    throw invalid(`${where}.mediaType is not a media type`);
  if (typeof digest !== 'string' || !isAnyDigest(digest)) throw invalid(`${where}.digest is not a digest`);
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw invalid(`${where}.size is not a number of bytes`);
  return { mediaType, digest, size: size as number, elsewhere: isNonDistributable(mediaType) };
}

function isNonDistributable(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.diff.');
}

function list(value: unknown, where: string): ParsedDescriptor[] {
  // An empty list of Go is written as null.
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`${where} is not a list`);
  if (value.length > REFERENCES_MAX) throw invalid(`${where} has more than ${REFERENCES_MAX} entries`);
  return value.map((entry, index) => descriptor(entry, `${where}[${index}]`));
}

function toReference(entry: ParsedDescriptor): Reference {
  if (!isDigest(entry.digest)) throw invalid(`digest ${shown(entry.digest)} is neither sha256 nor sha512`);
  return { digest: entry.digest, size: entry.size };
}

function optionalMediaType(value: unknown, where: string): string {
  if (value === undefined || value === null || value === '') return '';
  if (typeof value !== 'string' || !isMediaType(value)) throw invalid(`${where} is not a media type`);
  return value;
}

/** Text that PostgreSQL can hold: no NUL, no lone surrogate. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function stringMap(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalid('annotations is not an object');
  const entries = Object.entries(value);
  if (entries.length > ANNOTATION_COUNT_MAX) throw invalid(`more than ${ANNOTATION_COUNT_MAX} annotations`);
  for (const [key, text] of entries) {
    if (typeof text !== 'string') throw invalid(`annotation ${shown(key)} is not a string`);
    if (!isStorable(key) || !isStorable(text)) throw invalid(`annotation ${shown(key)} is not valid text`);
  }
  return value as Record<string, string>;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function invalid(reason: string) {
  return registryError('MANIFEST_INVALID', `the manifest is not valid: ${reason}`);
}
