import type { Digest } from '../../kernel/digest.ts';
import type { ManifestFacts } from './manifest.ts';

/** What a principal may do in a repository. */
export type RegistryAction = 'pull' | 'create' | 'overwrite' | 'delete' | 'attach';

/** Tags under these prefixes may move to another digest. */
export const DEFAULT_MUTABLE_PREFIXES: readonly string[] = ['dev/'];

const ATTACHMENT_TAG = /^sha(?:256|512)-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/;

/** Tags by which clients without the referrers API hang things on a digest: they must be able to add to them. */
export function isAttachmentTag(tag: string): boolean {
  return ATTACHMENT_TAG.test(tag);
}

export function isMutableTag(repository: string, tag: string, mutablePrefixes: readonly string[]): boolean {
  return isAttachmentTag(tag) || mutablePrefixes.some((prefix) => repository.startsWith(prefix));
}

/** `refuse`: the tag is immutable and names another digest. */
export type TagDecision = 'create' | 'same' | 'move' | 'refuse';

export function decideTag(current: Digest | null, pushed: Digest, mutable: boolean): TagDecision {
  if (current === null) return 'create';
  if (current === pushed) return 'same';
  return mutable ? 'move' : 'refuse';
}

/** The right a push of a manifest needs, before it is known whether a tag moves (that needs `overwrite` on top). */
export function pushAction(facts: Pick<ManifestFacts, 'subject'>, tags: readonly string[]): RegistryAction {
  if (facts.subject !== null) return 'attach';
  return tags.length > 0 && tags.every(isAttachmentTag) ? 'attach' : 'create';
}

/** True when moving this tag is an attachment and no overwrite of a release. */
export function moveNeedsOverwrite(tag: string): boolean {
  return !isAttachmentTag(tag);
}

/** Scope of a repository in the form of the Docker token service. */
export function tokenScope(repository: string, action: RegistryAction): string {
  const verbs = {
    pull: 'pull',
    create: 'pull,push',
    overwrite: 'pull,push',
    attach: 'pull,push',
    delete: 'delete',
  };
  return `repository:${repository}:${verbs[action]}`;
}
