import { type Digest, sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Descriptor, RegistryClient } from '../../platform/oci/types.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { appendSignature } from '../../support/ledger/append.ts';
import { openCheckpoint } from '../../support/ledger/checkpoint.ts';
import { hashedrekordBody } from '../../support/ledger/hashedrekord.ts';
import type { LogIdentity } from '../../support/ledger/log.ts';
import { type InclusionProof, inclusionProof } from '../../support/ledger/proofs.ts';
import { waitForIndex } from '../../support/ledger/read.ts';
import type { Signer } from '../../support/secrets/types.ts';
import { bundleBytes } from './bundle.ts';
import { IN_TOTO_TYPE, pae } from './dsse.ts';
import { MAX_BUNDLE_BYTES, pushReferrer, referrerManifest } from './referrers.ts';
import { statementBytes } from './statement.ts';
import { findSignature, lockSigning, type RecordedSignature, recordAttached } from './store.ts';

export interface SignDeps {
  database: Database;
  registry: RegistryClient;
  signer: Signer;
  log: LogIdentity;
  clock: Clock;
  /** Who says so in the ledger: `system:worker`. */
  actor: string;
  /** How long the ledger's sequencer may take; default 30 s. */
  waitMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The artifact statements are about. */
export interface SignTarget {
  service: string;
  environment?: string | undefined;
  repository: string;
  digest: Digest;
}

export interface NewStatement {
  predicateType: string;
  predicate: Readonly<Record<string, unknown>>;
}

export interface Attached {
  predicateType: string;
  /** sha256 of the statement's bytes. */
  statement: Digest;
  /** The referrer manifest. */
  referrer: Digest;
  ledgerIndex: number;
}

const WAIT_MS = 30_000;

/**
 * Signs statements about an artifact and attaches them to it. Every step can be taken again: a signature the ledger
 * holds already is reused, its proof is always that of the first checkpoint over it, and so bundle, manifest and their
 * digests come out the same. Whoever is killed anywhere leaves nothing behind but work that the next call completes.
 * Errors: `image_missing`, `timeout` (nobody sequences the ledger), `unreachable`, `tampered`.
 */
export async function signStatements(
  deps: SignDeps,
  target: SignTarget,
  statements: readonly NewStatement[],
): Promise<Attached[]> {
  const { repository, digest } = target;
  const artifact = await deps.registry.getManifest(repository, digest);
  const subject: Descriptor = { mediaType: artifact.mediaType, digest, size: artifact.bytes.length };
  const payloads = statements.map(({ predicateType, predicate }) => ({
    predicateType,
    payload: statementBytes({ name: repository, digest }, predicateType, predicate),
  }));
  const recorded = await recordSignatures(
    deps,
    payloads.map(({ payload }) => payload),
  );
  const attached: Attached[] = [];
  for (const [i, { predicateType, payload }] of payloads.entries()) {
    const signature = recorded[i] as RecordedSignature;
    attached.push(await attach(deps, { target, subject, predicateType, payload, signature }));
  }
  return attached;
}

export async function signStatement(
  deps: SignDeps,
  target: SignTarget,
  statement: NewStatement,
): Promise<Attached> {
  const [attached] = await signStatements(deps, target, [statement]);
  return attached as Attached;
}

/**
 * Commit point of a signature: it counts once its ledger entry commits, and one lock per statement keeps two workers
 * from entering two. All statements go in one transaction, in the order of their locks, so that they share a checkpoint
 * and no two callers wait for each other crosswise.
 */
async function recordSignatures(deps: SignDeps, payloads: readonly Buffer[]): Promise<RecordedSignature[]> {
  const { signer, clock } = deps;
  const encoded = payloads.map((payload) => pae(IN_TOTO_TYPE, payload));
  const digests = encoded.map((bytes) => sha256(bytes));
  return await deps.database.transaction(async (tx) => {
    for (const digest of [...digests].sort()) await lockSigning(tx, digest);
    const recorded: RecordedSignature[] = [];
    for (const [i, signedDigest] of digests.entries()) {
      const known = await findSignature(tx, signedDigest, signer.spkiDer);
      if (known) {
        recorded.push(known);
        continue;
      }
      const signature = signer.sign(encoded[i] as Buffer);
      const body = hashedrekordBody({ signedDigest, signature, spkiDer: signer.spkiDer });
      recorded.push({ pendingId: await appendSignature(tx, { atMs: clock.nowMs(), body }), signature });
    }
    return recorded;
  });
}

interface Attachment {
  target: SignTarget;
  subject: Descriptor;
  predicateType: string;
  payload: Buffer;
  signature: RecordedSignature;
}

async function attach(deps: SignDeps, attachment: Attachment): Promise<Attached> {
  const { database, registry, signer, log, clock, actor } = deps;
  const { target, subject, predicateType, payload, signature } = attachment;
  const { pendingId } = signature;
  const ledgerIndex = await waitForIndex(database, pendingId, deps.waitMs ?? WAIT_MS, deps.signal);
  const proof = await inclusionProof(database, ledgerIndex, 'first');
  const bundle = bundleBytes({ payload, signature: signature.signature, hint: signer.hint }, proof, log);
  if (bundle.length > MAX_BUNDLE_BYTES) {
    throw new SlipwayError('payload_too_large', `the ${predicateType} bundle has ${bundle.length} bytes`);
  }
  const createdMs = provenTime(proof, log);
  const manifest = referrerManifest({ subject, bundle, predicateType, createdMs });
  const present = await registry.referrers(target.repository, target.digest);
  const referrer = sha256(manifest);
  if (!present.some((descriptor) => descriptor.digest === referrer)) {
    await pushReferrer(registry, target.repository, bundle, manifest);
  }
  const statement = sha256(payload);
  const data = { referrer, predicateType, statement, key: signer.keyName, ledgerIndex };
  const { service, environment, digest } = target;
  await database.transaction((tx) =>
    recordAttached(tx, { service, environment, atMs: clock.nowMs(), actor, artifact: digest, data }),
  );
  return { predicateType, statement, referrer, ledgerIndex };
}

/** A bundle that would not verify is not published. */
function provenTime(proof: InclusionProof, log: LogIdentity): number {
  const checkpoint = openCheckpoint(proof.checkpoint, log);
  if (typeof checkpoint !== 'string') return checkpoint.atMs;
  throw new SlipwayError('tampered', `the ledger's checkpoint does not verify: ${checkpoint}`);
}
