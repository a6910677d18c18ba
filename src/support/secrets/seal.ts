import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SlipwayError } from '../../kernel/errors.ts';

const PREFIX = 'sealed1.';
const NONCE = 12;
const TAG = 16;
/** Secrets for a column, not documents. */
const MAX_BYTES = 64 * 1024;

/**
 * AES-256-GCM, `sealed1.` and base64url(nonce || ciphertext || tag), the context as associated data. The nonce is always
 * the system's randomness: a replayed one would give the key away.
 */
export function seal(key: Buffer, text: string, context: string): string {
  const plain = Buffer.from(text, 'utf8');
  if (plain.length > MAX_BYTES)
    throw new SlipwayError('payload_too_large', `a sealed secret holds at most ${MAX_BYTES} bytes`);
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context, 'utf8'));
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return PREFIX + sealed.toString('base64url');
}

export function unseal(key: Buffer, sealed: string, context: string): string {
  const bytes = sealed.startsWith(PREFIX)
    ? Buffer.from(sealed.slice(PREFIX.length), 'base64url')
    : Buffer.alloc(0);
  const refused = () =>
    new SlipwayError('tampered', 'a sealed secret does not open', {
      hint: 'It was changed, moved to another row, or sealed by another keyring: set the secret again.',
    });
  if (bytes.length < NONCE + TAG || PREFIX + bytes.toString('base64url') !== sealed) throw refused();
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG });
    decipher.setAAD(Buffer.from(context, 'utf8')).setAuthTag(bytes.subarray(bytes.length - TAG));
    const plain = Buffer.concat([
      decipher.update(bytes.subarray(NONCE, bytes.length - TAG)),
      decipher.final(),
    ]);
    return plain.toString('utf8');
  } catch {
    throw refused();
  }
}
