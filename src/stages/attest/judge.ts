import { createPublicKey, verify } from 'node:crypto';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { type Evidence, type EvidenceKind, PREDICATES } from '../../kernel/evidence.ts';
import { checkInclusionProof, type ProvenEntry } from '../../support/ledger/check.ts';
import { parseHashedrekord } from '../../support/ledger/hashedrekord.ts';
import type { LogIdentity } from '../../support/ledger/log.ts';
import { type ParsedBundle, parseBundle } from './bundle.ts';
import { IN_TOTO_TYPE, pae } from './dsse.ts';
import { isAbout, parseStatement } from './statement.ts';

/** A public key whose signatures may count. A keyring's `publicKeys()` are of this form. */
export interface TrustedKey {
  name: string;
  /** `build` and `gate` keys sign what is theirs; a key of any other purpose may sign every predicate but decisions. */
  purpose: string;
  /** ECDSA P-256. */
  spkiDer: Buffer;
  hint: string;
  validFromMs: number;
  validUntilMs: number | null;
  revokedAtMs: number | null;
}

export interface EvidenceTrust {
  keys: readonly TrustedKey[];
  log: LogIdentity;
}

/** Evidence and the exact payload it came from. */
export interface JudgedBundle {
  evidence: Omit<Evidence, 'referrer'>;
  payload: Buffer | null;
}

/**
 * Judges one bundle as evidence about `digest`, with nothing but the trusted keys and the log's identity: the signature
 * over the exact payload, the subject, the proof that the signature stands in the ledger, and that the key was valid at
 * ledger time. Never throws: whatever is wrong is said in `problem`.
 */
export function judgeBundle(bytes: Uint8Array, digest: Digest, trust: EvidenceTrust): JudgedBundle {
  const bundle = parseBundle(bytes);
  if (typeof bundle === 'string') return { evidence: { ...NOTHING, problem: bundle }, payload: null };
  const statement = parseStatement(bundle.payload);
  const key = trust.keys.find((candidate) => candidate.hint === bundle.hint) ?? null;
  const base = { ...NOTHING, key: key?.name ?? null };
  if (typeof statement === 'string')
    return { evidence: { ...base, problem: statement }, payload: bundle.payload };
  const kind = KIND_OF.get(statement.predicateType) ?? 'other';
  const { predicateType, predicate } = statement;
  const judged = isAbout(statement, digest)
    ? judgeSigned(bundle, key, kind, trust.log)
    : 'the statement is about another artifact';
  const outcome =
    typeof judged === 'string'
      ? { verified: false, problem: judged, ledgerIndex: null }
      : { verified: true, problem: null, ledgerIndex: judged.index };
  return { evidence: { ...base, kind, predicateType, predicate, ...outcome }, payload: bundle.payload };
}

function judgeSigned(
  bundle: ParsedBundle,
  key: TrustedKey | null,
  kind: Evidence['kind'],
  log: LogIdentity,
): ProvenEntry | string {
  if (bundle.hint === null) return 'the bundle does not name its key';
  if (!key) return 'the key that signed it is not trusted here';
  const problem = signatureProblem(bundle, key, kind);
  if (problem !== null) return problem;
  const proven = judgeInclusion(bundle, key, log);
  return typeof proven === 'string' ? proven : (validityProblem(key, proven.atMs) ?? proven);
}

const NOTHING: Omit<Evidence, 'referrer'> = {
  kind: 'other',
  predicateType: '',
  verified: false,
  problem: null,
  key: null,
  ledgerIndex: null,
  predicate: null,
};

const KIND_OF: ReadonlyMap<string, Evidence['kind']> = new Map(
  Object.entries(PREDICATES).map(([kind, type]) => [type, kind as EvidenceKind]),
);

function signatureProblem(bundle: ParsedBundle, key: TrustedKey, kind: Evidence['kind']): string | null {
  if ((key.purpose === 'gate') !== (kind === 'decision')) {
    return `key ${key.name} may not sign this kind of evidence`;
  }
  try {
    const publicKey = createPublicKey({ key: key.spkiDer, type: 'spki', format: 'der' });
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return `key ${key.name} is no P-256 key`;
    const good = verify('sha256', pae(IN_TOTO_TYPE, bundle.payload), publicKey, bundle.signature);
    return good ? null : 'the signature is wrong';
  } catch {
    return 'the signature cannot be checked';
  }
}

/** The entry must be this very signature by this very key, not just any entry of the log. */
function judgeInclusion(bundle: ParsedBundle, key: TrustedKey, log: LogIdentity): ProvenEntry | string {
  const ours = bundle.entries.find(({ logKeyId }) => logKeyId === log.keyId.toString('base64'));
  if (!ours) return 'the bundle carries no proof of inclusion in this ledger';
  const proven = checkInclusionProof(ours.proof, log);
  if (typeof proven === 'string') return proven;
  const entry = parseHashedrekord(proven.body);
  if (!entry) return 'the ledger entry it proves is no signature';
  const same =
    entry.signedDigest === sha256(pae(IN_TOTO_TYPE, bundle.payload)) &&
    entry.signature.equals(bundle.signature) &&
    entry.spkiDer.equals(key.spkiDer);
  return same ? proven : 'the ledger entry it proves is another signature';
}

/** Judged at ledger time, which the log signed: a stolen key cannot backdate. */
function validityProblem(key: TrustedKey, atMs: number): string | null {
  if (atMs < key.validFromMs) return `key ${key.name} was not valid yet when the ledger took the signature`;
  if (key.revokedAtMs !== null && atMs >= key.revokedAtMs)
    return `key ${key.name} was revoked before the ledger took the signature`;
  if (key.validUntilMs !== null && atMs >= key.validUntilMs)
    return `key ${key.name} had expired when the ledger took the signature`;
  return null;
}
