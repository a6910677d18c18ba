import { createHmac, timingSafeEqual } from 'node:crypto';

/** Longest token that is opened, in characters. */
export const TOKEN_LIMIT = 4_000;

/**
 * Carts and orders are sealed tokens that the shopper carries: base64url JSON and its HMAC-SHA256. So any instance can
 * serve any request, with no session store between them.
 */
export function createSeal(key) {
  const mac = (text) => createHmac('sha256', key).update(text).digest().subarray(0, 16);
  return {
    seal(kind, value) {
      const body = Buffer.from(JSON.stringify({ kind, ...value })).toString('base64url');
      return `${body}.${mac(body).toString('base64url')}`;
    },
    /** The value, or null when the token is not one of ours or of another kind. */
    open(kind, token) {
      if (typeof token !== 'string' || token.length > TOKEN_LIMIT) return null;
      const [body, tag, ...rest] = token.split('.');
      if (!body || !tag || rest.length > 0) return null;
      const given = Buffer.from(tag, 'base64url');
      const expected = mac(body);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
      const { kind: is, ...value } = JSON.parse(Buffer.from(body, 'base64url').toString());
      return is === kind ? value : null;
    },
  };
}
