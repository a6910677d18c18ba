import { createCipheriv, createDecipheriv } from 'node:crypto';

/** How long a registry session lasts before the client asks for another. */
export const TOKEN_LIFETIME_MS = 5 * 60_000;
const TOKEN_PREFIX = 'slipway-registry.';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface Contents {
  /** The caller's own credential; absent for an anonymous session. */
  secret?: string;
  expiresAtMs: number;
}

export interface TokenSealer {
  seal(secret: string | undefined, nowMs: number): string;
  /** Null for what is not one of ours, was changed, or is over. */
  unseal(token: string, nowMs: number): { secret: string | undefined } | null;
  /** True for what looks like one of ours. */
  owns(token: string): boolean;
}

/**
 * Tokens of the Docker token service: the caller's credential and an expiry, sealed with AES-256-GCM. No state is kept, a
 * leaked token does not give away the credential, and as the credential is judged anew at every use, revoking it ends
 * the sessions made from it.
 */
export function createTokenSealer(key: Uint8Array, random: (bytes: number) => Uint8Array): TokenSealer {
  const owns = (token: string) => token.startsWith(TOKEN_PREFIX);
  return {
    owns,
    seal(secret, nowMs) {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const contents: Contents = {
        ...(secret === undefined ? {} : { secret }),
        expiresAtMs: nowMs + TOKEN_LIFETIME_MS,
      };
      const sealed = Buffer.concat([
        nonce,
        cipher.update(JSON.stringify(contents), 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return TOKEN_PREFIX + sealed.toString('base64url');
    },
    unseal(token, nowMs) {
      if (!owns(token)) return null;
      const sealed = Buffer.from(token.slice(TOKEN_PREFIX.length), 'base64url');
      if (sealed.length < NONCE_BYTES + TAG_BYTES) return null;
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      try {
        const text = decipher.update(
          sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES),
          undefined,
          'utf8',
        );
        const contents = JSON.parse(text + decipher.final('utf8')) as Contents;
        return contents.expiresAtMs > nowMs ? { secret: contents.secret } : null;
      } catch {
        return null;
      }
    },
  };
}
