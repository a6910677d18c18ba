import { createHash, timingSafeEqual } from 'node:crypto';
import { newId } from '../../kernel/ids.ts';
import type { Clock } from '../../platform/clock.ts';

/**
 * `slp_<id>_<secret>`: the id (26 characters) finds the row, the secret (256 bits, base64url) is known to its bearer alone.
 * Stored is sha256 of the secret; a slow hash would guard nothing, since 256 random bits cannot be guessed.
 */
export interface MintedToken {
  id: string;
  /** Shown once, never stored. */
  token: string;
  secretHash: string;
}

const TOKEN = /^slp_([0-9a-hjkmnp-tv-z]{26})_([A-Za-z0-9_-]{43})$/;

export function mintToken(clock: Clock): MintedToken {
  const id = newId('tok', clock.nowMs(), (bytes) => clock.random(bytes));
  const secret = Buffer.from(clock.random(32)).toString('base64url');
  return { id, token: `slp_${id.slice('tok_'.length)}_${secret}`, secretHash: hashSecret(secret) };
}

/** null for everything that is not of the form. */
export function parseToken(text: string): { id: string; secretHash: string } | null {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id && secret ? { id: `tok_${id}`, secretHash: hashSecret(secret) } : null;
}

function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Constant in time for hashes, which have one length. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Most characters of a header that is looked at. */
const MAX_HEADER = 4096;

/**
 * The token a request carries: `Bearer <token>`; `Basic`, with the token as password (what registry clients and git
 * send); or the session cookie. null: none. A header that is there but unusable is an empty token, which nobody has.
 */
export function tokenOf(credentials: {
  authorization?: string | undefined;
  cookie?: string | undefined;
}): string | null {
  const { authorization, cookie } = credentials;
  if (authorization !== undefined) {
    if (authorization.length > MAX_HEADER) return '';
    const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(authorization) ?? [];
    if (scheme.toLowerCase() === 'bearer') return value;
    if (scheme.toLowerCase() !== 'basic') return '';
    const text = Buffer.from(value, 'base64').toString('utf8');
    return text.slice(text.indexOf(':') + 1);
  }
  if (cookie === undefined || cookie.length > MAX_HEADER) return null;
  for (const part of cookie.split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === SESSION_COOKIE) return value ?? '';
  }
  return null;
}

export const SESSION_COOKIE = 'slipway_session';
