import { isDigest } from '../../kernel/digest.ts';

/** Grammar of the OCI distribution specification 1.1, and the bounds this registry puts on it. */
const REPOSITORY_LENGTH_MAX = 255;
const MEDIA_TYPE_LENGTH_MAX = 255;

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const OTHER_DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{1,256}$/;
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

export function isRepositoryName(text: string): boolean {
  return text.length <= REPOSITORY_LENGTH_MAX && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Any well-formed digest, also of an algorithm that this registry does not store. */
export function isAnyDigest(text: string): boolean {
  return isDigest(text) || (OTHER_DIGEST.test(text) && !/^sha(?:256|512):/.test(text));
}

/** RFC 6838 form, without parameters. */
export function isMediaType(text: string): boolean {
  return text.length <= MEDIA_TYPE_LENGTH_MAX && MEDIA_TYPE.test(text);
}
