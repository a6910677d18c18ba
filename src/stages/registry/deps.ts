import type { EntryKind } from '../../kernel/event.ts';
import type { BlobStore } from '../../platform/blobs/store.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Principal } from '../../platform/http/route.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import type { RegistryAction } from './plan.ts';

export interface TagDeletedEntry {
  kind: Extract<EntryKind, 'tag.deleted'>;
  /** The digest the tag named. */
  subject: string;
  actor: string;
  atMs: number;
  data: { repository: string; tag: string };
}

/** What the registry is given. */
export interface RegistryDeps {
  database: Database;
  blobs: BlobStore;
  clock: Clock;
  log: Logger;
  /**
   * Who calls: the header is absent, or `Bearer <token>` (a password of Basic and the token of a registry session arrive
   * in that form too). `source` is the address of the peer, for a limit on failed tries; over it, it throws
   * `unauthenticated` with `facts.retryAfterS`. Null means unknown. A principal for an absent header allows anonymous calls.
   */
  authenticate(authorizationHeader: string | undefined, source: string): Promise<Principal | null>;
  allowed(principal: Principal, action: RegistryAction, repository: string): boolean;
  /** The ledger, in the transaction of the change. */
  append(tx: Transaction, entry: TagDeletedEntry): Promise<unknown>;
  /** 32 bytes that seal the tokens of `/v2/token`; shared by all servers behind one address. Default: random. */
  tokenKey?: Uint8Array;
  /** As clients see the registry, without a trailing slash: `https://registry.example.org`. Default: what they asked for. */
  publicUrl?: string;
  /** Default `dev/`. */
  mutablePrefixes?: readonly string[];
  /** Default BLOB_BYTES_MAX. */
  maxBlobBytes?: number;
}

/** Largest blob taken: 64 GiB. */
export const BLOB_BYTES_MAX = 64 * 1024 ** 3;
