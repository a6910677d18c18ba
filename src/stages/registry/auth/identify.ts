import { createHash } from 'node:crypto';
import type { Principal } from '../../../platform/http/route.ts';
import type { RegistryDeps } from '../deps.ts';
import type { TokenSealer } from './token.ts';

/** How long an answer of `authenticate` is used again. With `watch` it bounds how long a revoked credential still works. */
const IDENTITY_TTL_MS = 1_000;
const IDENTITY_CACHE_MAX = 2_000;
const AUTHORIZATION_LENGTH_MAX = 8 * 1024;

/** A credential in the one form `authenticate` is asked with; `undefined` for an anonymous caller. */
export interface Credential {
  header: string | undefined;
}

export interface Identifier {
  /** Null when the header is malformed, or names a session that is over. */
  credential(authorization: string | undefined): Credential | null;
  principal(credential: Credential, source: string): Promise<Principal | null>;
}

export function createIdentifier(
  deps: Pick<RegistryDeps, 'authenticate' | 'clock'>,
  tokens: TokenSealer,
): Identifier {
  const cache = new Map<string, { principal: Principal; untilMs: number }>();

  function credential(authorization: string | undefined): Credential | null {
    if (authorization === undefined) return { header: undefined };
    if (authorization.length > AUTHORIZATION_LENGTH_MAX) return null;
    const [, scheme, value] = /^(basic|bearer) +([^\s]+)$/i.exec(authorization) ?? [];
    if (!scheme || !value) return null;
    const secret = scheme.toLowerCase() === 'basic' ? basicPassword(value) : value;
    if (!secret) return null;
    if (!tokens.owns(secret)) return { header: `Bearer ${secret}` };
    const session = tokens.unseal(secret, deps.clock.nowMs());
    if (!session) return null;
    return { header: session.secret === undefined ? undefined : `Bearer ${session.secret}` };
  }

  async function principal({ header }: Credential, source: string): Promise<Principal | null> {
    // The key is a hash, so that the cache holds no credential.
    const key = createHash('sha256')
      .update(header ?? '')
      .digest('base64');
    const nowMs = deps.clock.nowMs();
    const known = cache.get(key);
    if (known && known.untilMs > nowMs) return known.principal;
    cache.delete(key);
    const found = await deps.authenticate(header, source);
    if (!found) return null;
    if (cache.size >= IDENTITY_CACHE_MAX) cache.clear();
    cache.set(key, { principal: found, untilMs: nowMs + IDENTITY_TTL_MS });
    return found;
  }

  return { credential, principal };
}

/** The password of `user:password` in base64; the user is of no account. */
function basicPassword(value: string): string | null {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const password = colon < 0 ? '' : text.slice(colon + 1);
  // Goes into a header again, where a line break would start another.
  return /^[\x21-\x7e]+$/.test(password) ? password : null;
}
