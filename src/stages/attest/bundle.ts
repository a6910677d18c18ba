import { MEDIA } from '../../platform/oci/types.ts';
import { strictBase64 } from '../../support/ledger/checkpoint.ts';
import { HASHEDREKORD } from '../../support/ledger/hashedrekord.ts';
import type { LogIdentity } from '../../support/ledger/log.ts';
import type { InclusionProof } from '../../support/ledger/proofs.ts';
import { envelope, IN_TOTO_TYPE } from './dsse.ts';
import { isRecord, parseJson } from './json.ts';

/** A sigstore bundle v0.3: the signed statement, the hint at its key, and its proof of inclusion in the ledger. */
export function bundleBytes(
  signed: { payload: Uint8Array; signature: Uint8Array; hint: string },
  proof: InclusionProof,
  log: LogIdentity,
): Buffer {
  const index = String(proof.index);
  const entry = {
    logIndex: index,
    logId: { keyId: log.keyId.toString('base64') },
    kindVersion: HASHEDREKORD,
    inclusionProof: {
      logIndex: index,
      rootHash: proof.root,
      treeSize: String(proof.size),
      hashes: proof.hashes,
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: proof.body,
  };
  return Buffer.from(
    JSON.stringify({
      mediaType: MEDIA.sigstoreBundle,
      verificationMaterial: { publicKey: { hint: signed.hint }, tlogEntries: [entry] },
      dsseEnvelope: envelope(signed.payload, signed.signature),
    }),
  );
}

export interface ParsedBundle {
  payload: Buffer;
  signature: Buffer;
  /** base64(sha256(SPKI DER)); null when the bundle carries a certificate or no hint. */
  hint: string | null;
  /** One for each log entry it carries; still to be checked. */
  entries: { logKeyId: string; proof: unknown }[];
}

const MEDIA_TYPES: unknown[] = [MEDIA.sigstoreBundle, 'application/vnd.dev.sigstore.bundle+json;version=0.3'];
const MAX_ENTRIES = 16;

/** Reads a bundle that may come from anywhere; checks its form and nothing else. A string says what is wrong. */
export function parseBundle(bytes: Uint8Array): ParsedBundle | string {
  const value = parseJson(bytes);
  if (!isRecord(value) || !MEDIA_TYPES.includes(value.mediaType)) return 'it is no sigstore bundle v0.3';
  const { verificationMaterial: material, dsseEnvelope } = value;
  if (!isRecord(dsseEnvelope)) return 'the bundle carries no DSSE envelope';
  if (dsseEnvelope.payloadType !== IN_TOTO_TYPE) return 'the envelope is of another payload type';
  const payload = base64Field(dsseEnvelope.payload);
  const { signatures } = dsseEnvelope;
  const [only] = Array.isArray(signatures) && signatures.length === 1 ? (signatures as unknown[]) : [];
  const signature = isRecord(only) ? base64Field(only.sig) : null;
  if (!payload || !signature) return 'the envelope does not carry a payload and exactly one signature';
  if (!isRecord(material)) return 'the bundle carries no verification material';
  const entries = material.tlogEntries ?? [];
  if (!Array.isArray(entries) || entries.length > MAX_ENTRIES)
    return 'the bundle carries too many log entries';
  const hint = isRecord(material.publicKey) ? material.publicKey.hint : null;
  return {
    payload,
    signature,
    hint: typeof hint === 'string' ? hint : null,
    entries: (entries as unknown[]).map(readEntry),
  };
}

/** The inclusion proof in the form `checkInclusionProof` judges; what does not fit becomes a proof that proves nothing. */
function readEntry(entry: unknown): { logKeyId: string; proof: unknown } {
  if (!isRecord(entry) || !isRecord(entry.logId) || !isRecord(entry.inclusionProof))
    return { logKeyId: '', proof: null };
  const { kindVersion, inclusionProof: inclusion, logIndex } = entry;
  const kind = isRecord(kindVersion) ? `${kindVersion.kind} ${kindVersion.version}` : '';
  const known = kind === `${HASHEDREKORD.kind} ${HASHEDREKORD.version}`;
  const checkpoint = isRecord(inclusion.checkpoint) ? inclusion.checkpoint.envelope : null;
  const proof = {
    index: logIndex === inclusion.logIndex && known ? decimal(logIndex) : null,
    size: decimal(inclusion.treeSize),
    body: entry.canonicalizedBody,
    // protobuf JSON leaves empty lists out
    hashes: inclusion.hashes ?? [],
    root: inclusion.rootHash,
    checkpoint,
  };
  return { logKeyId: String(entry.logId.keyId), proof };
}

function decimal(value: unknown): number | null {
  return typeof value === 'string' && /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : null;
}

function base64Field(value: unknown): Buffer | null {
  return typeof value === 'string' && value !== '' ? strictBase64(value) : null;
}
