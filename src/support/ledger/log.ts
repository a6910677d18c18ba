import { createPublicKey, hash } from 'node:crypto';

/** Who a log is: the name its checkpoints begin with and the Ed25519 key that signs them. */
export interface LogIdentity {
  /** A host name. */
  origin: string;
  spkiDer: Buffer;
  /** sha256(origin, newline, 0x01, raw key): sigstore's logId; its first 4 bytes mark the note signature. */
  keyId: Buffer;
  /** First 4 bytes of sha256(origin, newline, 0x04, raw key): marks the timed cosignature (C2SP tlog-cosignature). */
  cosignatureKeyId: Buffer;
}

export interface LogSigner extends LogIdentity {
  /** Ed25519 over the text. */
  sign(text: Uint8Array): Buffer;
}

const ORIGIN = /^(?=.{1,200}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const ED25519_SPKI_BYTES = 44;

/** Throws TypeError when the key is not an Ed25519 SPKI or the origin is not host-like. */
export function logIdentity(spkiDer: Uint8Array, origin = defaultOrigin(spkiDer)): LogIdentity {
  const key = createPublicKey({ key: Buffer.from(spkiDer), type: 'spki', format: 'der' });
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('a log key must be Ed25519');
  if (!ORIGIN.test(origin)) throw new TypeError(`not a log origin: ${JSON.stringify(origin.slice(0, 160))}`);
  const raw = Buffer.from(spkiDer).subarray(ED25519_SPKI_BYTES - 32);
  return {
    origin,
    spkiDer: Buffer.from(spkiDer),
    keyId: noteKeyId(origin, 0x01, raw),
    cosignatureKeyId: noteKeyId(origin, 0x04, raw).subarray(0, 4),
  };
}

/**
 * A log's own name: its key's fingerprint under `slipway.local`, so that two installations never share one. A bare host
 * name, because sigstore clients look for the host of the log's address as the signer of its checkpoints.
 */
export function defaultOrigin(spkiDer: Uint8Array): string {
  return `log-${hash('sha256', spkiDer).slice(0, 16)}.slipway.local`;
}

export function logSigner(
  signer: { spkiDer: Uint8Array; sign(text: Uint8Array): Buffer },
  origin?: string,
): LogSigner {
  return { ...logIdentity(signer.spkiDer, origin), sign: (text) => signer.sign(text) };
}

function noteKeyId(origin: string, kind: number, raw: Buffer): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${origin}\n`), Buffer.from([kind]), raw]), 'buffer');
}

/** A sigstore trusted root that knows this log alone: what `cosign --trusted-root` takes. */
export function trustedRoot(log: LogIdentity, validFromMs: number): Record<string, unknown> {
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [
      {
        baseUrl: `https://${log.origin}`,
        hashAlgorithm: 'SHA2_256',
        publicKey: {
          rawBytes: log.spkiDer.toString('base64'),
          keyDetails: 'PKIX_ED25519',
          validFor: { start: new Date(validFromMs).toISOString() },
        },
        logId: { keyId: log.keyId.toString('base64') },
      },
    ],
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [],
  };
}
