import { hash } from 'node:crypto';
import { canonicalJson } from '../../kernel/canonical.ts';
import type { Digest } from '../../kernel/digest.ts';
import { strictBase64 } from './checkpoint.ts';

/** What a signature entry says: this key signed something with this digest. */
export interface SignatureEntry {
  /** sha256 over what was signed (for DSSE: the PAE). */
  signedDigest: Digest;
  /** ASN.1 DER. */
  signature: Buffer;
  /** Public key of the ECDSA P-256 signer. */
  spkiDer: Buffer;
}

export const HASHEDREKORD = { kind: 'hashedrekord', version: '0.0.2' } as const;

/** The Rekor v2 body, byte for byte as sigstore clients rebuild it: compact, keys in this (sorted) order. */
export function hashedrekordBody(entry: SignatureEntry): Buffer {
  const digest = Buffer.from(entry.signedDigest.slice('sha256:'.length), 'hex');
  return Buffer.from(
    canonicalJson({
      apiVersion: HASHEDREKORD.version,
      kind: HASHEDREKORD.kind,
      spec: {
        hashedRekordV002: {
          data: { algorithm: 'SHA2_256', digest: digest.toString('base64') },
          signature: {
            content: entry.signature.toString('base64'),
            verifier: {
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              publicKey: { rawBytes: entry.spkiDer.toString('base64') },
            },
          },
        },
      },
    }),
  );
}

/** Null unless the bytes are exactly what `hashedrekordBody` writes for what they say. */
export function parseHashedrekord(body: Uint8Array): SignatureEntry | null {
  try {
    const { spec } = JSON.parse(Buffer.from(body).toString('utf8')) as { spec: { hashedRekordV002: Spec } };
    const { data, signature } = spec.hashedRekordV002;
    const digest = strictBase64(data.digest);
    const content = strictBase64(signature.content);
    const spkiDer = strictBase64(signature.verifier.publicKey.rawBytes);
    if (digest?.length !== 32 || !content || !spkiDer) return null;
    const entry: SignatureEntry = {
      signedDigest: `sha256:${digest.toString('hex')}`,
      signature: content,
      spkiDer,
    };
    return hashedrekordBody(entry).equals(body) ? entry : null;
  } catch {
    return null;
  }
}

/** Who a signature entry names as its actor: the fingerprint of the key, so that the column follows from the body. */
export function keyActor(spkiDer: Uint8Array): string {
  return `key:${hash('sha256', spkiDer)}`;
}

interface Spec {
  data: { digest: string };
  signature: { content: string; verifier: { publicKey: { rawBytes: string } } };
}
