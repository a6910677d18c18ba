/**
 * The kinds of ledger entries. An entry says what changed, who did it, and which digests it is about; it never holds a
 * secret or a large document (65,535 bytes at most), only their digests.
 */
export const ENTRY_KINDS = [
  'platform.applied',
  'service.registered',
  'commit.seen',
  'release.created',
  'release.built',
  'release.failed',
  'release.cancelled',
  'build.started',
  'build.finished',
  'artifact.registered',
  'evidence.attached',
  'signature',
  'gate.decided',
  'promotion.created',
  'promotion.changed',
  'approval.given',
  'approval.refused',
  'rollout.created',
  'rollout.changed',
  'rollout.action',
  'rollout.ended',
  'token.created',
  'token.revoked',
  'key.created',
  'key.revoked',
  'tag.deleted',
] as const;

export type EntryKind = (typeof ENTRY_KINDS)[number];

/** The JSON body of an entry (all kinds but `signature`, whose body is a Rekor v2 hashedrekord). */
export interface EntryBody {
  kind: Exclude<EntryKind, 'signature'>;
  /** RFC 3339, UTC. */
  at: string;
  /** Who did it: `token:admin`, `system:worker`, `policy:<name>`. */
  actor: string;
  service?: string;
  environment?: string;
  /** The thing the entry is about: an id or a digest. */
  subject: string;
  data: Readonly<Record<string, unknown>>;
}
