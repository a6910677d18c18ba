import { SlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Principal } from '../../platform/http/route.ts';
import type { Queryable } from '../../platform/postgres/database.ts';
import { findToken } from './store.ts';
import { createThrottle, type Throttle } from './throttle.ts';
import { parseToken, sameHash, tokenOf } from './token.ts';

export interface Credentials {
  authorization?: string | undefined;
  cookie?: string | undefined;
  /** Address of the peer, for the limit on failed tries. */
  source: string;
}

export interface Authenticator {
  /**
   * The principal behind the credentials; null when there are none, or they are unknown, expired or revoked. Throws
   * `unauthenticated` with `facts.retryAfterS` when the source failed too often, `unreachable` without a database.
   */
  authenticate(credentials: Credentials): Promise<Principal | null>;
  /** Drops what this process remembers of a token. */
  forget(id: string): void;
}

/** What was read from the database is believed this long; with the interval of checks on streams it stays below 5 s. */
const BELIEVED_MS = 2000;
const MAX_REMEMBERED = 5000;

interface Remembered {
  id: string;
  principal: Principal;
  untilMs: number;
}

export function createAuthenticator(
  database: Queryable,
  clock: Clock,
  options: { throttle?: Throttle } = {},
): Authenticator {
  const throttle = options.throttle ?? createThrottle();
  // By secret hash, which only a bearer of the secret can produce. Entries outlive their belief: they mark sources'
  // known-good tokens, which the limit on strangers from the same address must not lock out.
  const remembered = new Map<string, Remembered>();

  const lookUp = async (text: string, nowMs: number): Promise<Remembered | null> => {
    const parsed = parseToken(text);
    if (!parsed) return null;
    const row = await findToken(database, parsed.id);
    const matches = sameHash(row?.secretHash ?? '0'.repeat(64), parsed.secretHash);
    if (!row || !matches || row.revokedAtMs !== null) return null;
    if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) return null;
    return {
      id: row.id,
      principal: { actor: `token:${row.name}`, roles: row.roles },
      untilMs: Math.min(nowMs + BELIEVED_MS, row.expiresAtMs ?? Number.POSITIVE_INFINITY),
    };
  };

  return {
    async authenticate(credentials) {
      const text = tokenOf(credentials);
      if (text === null) return null;
      const nowMs = clock.nowMs();
      const key = parseToken(text)?.secretHash;
      const known = key === undefined ? undefined : remembered.get(key);
      if (known && nowMs < known.untilMs) return known.principal;
      const waitMs = known ? 0 : throttle.waitMs(credentials.source, nowMs);
      if (waitMs > 0) throw tooMany(waitMs);
      const found = await lookUp(text, nowMs);
      if (key !== undefined) remembered.delete(key);
      if (!found || key === undefined) {
        throttle.failed(credentials.source, nowMs);
        return null;
      }
      remembered.set(key, found);
      if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value as string);
      return found.principal;
    },
    forget(id) {
      for (const [key, entry] of remembered) if (entry.id === id) remembered.delete(key);
    },
  };
}

function tooMany(waitMs: number): SlipwayError {
  const seconds = Math.ceil(waitMs / 1000);
  return new SlipwayError('unauthenticated', 'too many failed logins from this address', {
    hint: `Try again in ${seconds} s.`,
    facts: { retryAfterS: seconds },
  });
}
