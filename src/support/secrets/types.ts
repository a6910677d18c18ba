/** What a key may sign. `build`: evidence about a build. `gate`: decisions. `ledger`: the log's checkpoints. */
export type KeyPurpose = 'build' | 'gate' | 'ledger';

/** A key that signs DSSE envelopes: ECDSA P-256 over SHA-256. */
export interface Signer {
  keyName: string;
  purpose: 'build' | 'gate';
  /** base64(sha256(SPKI DER)), as sigstore bundles name a key. */
  hint: string;
  spkiDer: Buffer;
  /** ASN.1 DER signature over sha256(pae). */
  sign(pae: Uint8Array): Buffer;
}

/** The key that signs checkpoints: Ed25519. */
export interface LedgerSigner {
  keyName: string;
  spkiDer: Buffer;
  /** 64 bytes over the text itself. */
  sign(text: Uint8Array): Buffer;
}

export interface PublicKeyInfo {
  name: string;
  purpose: KeyPurpose;
  algorithm: 'ecdsa-p256' | 'ed25519';
  spkiDer: Buffer;
  hint: string;
  pem: string;
  /** Whole seconds: the ledger's signed time has no finer grain. */
  validFromMs: number;
  validUntilMs: number | null;
  revokedAtMs: number | null;
}

/** Private key bytes stay inside support/secrets; what is handed out can only sign, seal and unseal. */
export interface Keyring {
  /** The newest key of the purpose that is valid now. Throws `key_unknown` when there is none. */
  signer(purpose: 'build' | 'gate'): Signer;
  readonly ledgerSigner: LedgerSigner;
  /** All keys ever made, retired and revoked ones too: old signatures are still judged. */
  publicKeys(): PublicKeyInfo[];
  /**
   * Encrypts a small secret for a database column. `context` (a table and row, say) is bound in: the result does not
   * unseal under another, so rows cannot be swapped.
   */
  seal(text: string, context?: string): string;
  /** Throws `tampered` when the text was not sealed by this keyring under this context. */
  unseal(sealed: string, context?: string): string;
}
