import { canonicalJson } from '../../kernel/canonical.ts';
import type { EnvironmentConfig, PlatformConfig, PolicyConfig } from '../../kernel/config.ts';
import type { Decision, PolicyResult } from '../../kernel/decision.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import { type Facts, knownFacts } from './facts.ts';
import { type GateSubject, type GatherDeps, gatherFacts } from './gather.ts';
import { decide, type Judgement } from './judge.ts';
import { policyHash } from './plan.ts';
import {
  insertDecision,
  latestDecision,
  lockPromotionDecisions,
  type RecordedDecision,
  readDecision,
} from './store.ts';

export interface GateEntry {
  kind: 'gate.decided';
  atMs: number;
  actor: string;
  service: string;
  environment: string;
  subject: string;
  data: Record<string, unknown>;
}

export interface GateDeps extends GatherDeps {
  database: Database;
  clock: Clock;
  platform(): Promise<PlatformConfig>;
  append(tx: Transaction, entry: GateEntry): Promise<unknown>;
  /** Attaches the decision to the artifact as signed evidence. Called outside the transaction, once or again: idempotent. */
  signDecision(decision: Decision, repository: string): Promise<unknown>;
}

export interface GateRequest {
  service: string;
  environment: string;
  digest: Digest;
  repository: string;
  promotionId: string | null;
  releaseId: string | null;
}

/**
 * Judges a digest for an environment now and records the answer. Whatever is known to be wrong is a deny with its reason;
 * whatever is not known (registry or database away, too slow) is a retryable error, for the caller to try again until its
 * deadline; nothing becomes an allow but policies that hold on facts that are there.
 *
 * Asked again about the same promotion it gathers and judges afresh; the same answer under the same policies gives the
 * recorded decision, another answer a new one.
 */
export async function evaluateGate(deps: GateDeps, request: GateRequest): Promise<Decision> {
  const platform = await deps.platform();
  const environment = environmentOf(platform, request.environment);
  const policies = policiesOf(platform, environment);
  const { facts, judgement } = await judgeNow(deps, { ...request, environment }, policies);
  const nowMs = deps.clock.nowMs();
  const inputs = knownFacts(facts);
  const decision: RecordedDecision = {
    id: newId('dec', nowMs, deps.clock.random),
    service: request.service,
    environment: request.environment,
    digest: request.digest,
    promotionId: request.promotionId,
    outcome: judgement.outcome,
    policyHash: policyHash(policies.known),
    results: judgement.results,
    inputs,
    inputsHash: sha256(canonicalJson(inputs)),
    atMs: nowMs,
  };
  // The decision and its ledger entry appear together or not at all. A crash before the commit leaves nothing and the
  // caller asks again; one after it finds the decision here and signs it then.
  const recorded = await deps.database.transaction((tx) => record(deps, tx, decision));
  const { promotionId: _, ...answer } = recorded;
  await sign(deps, answer, request.repository);
  return answer;
}

/** A deny that cannot be attached (there is no image to attach it to) is a deny all the same. */
async function sign(deps: GateDeps, decision: Decision, repository: string): Promise<void> {
  try {
    await deps.signDecision(decision, repository);
  } catch (error) {
    if (decision.outcome === 'deny' && isSlipwayError(error) && !error.retryable) return;
    throw error;
  }
}

async function record(
  deps: GateDeps,
  tx: Transaction,
  decision: RecordedDecision,
): Promise<RecordedDecision> {
  if (decision.promotionId !== null) {
    await lockPromotionDecisions(tx, decision.promotionId);
    const before = await latestDecision(tx, { ...decision, promotionId: decision.promotionId });
    if (before !== null && sameAnswer(before, decision)) return before;
  }
  await insertDecision(tx, decision);
  await deps.append(tx, entryOf(decision));
  return decision;
}

/** Messages of policies may hold figures that change with time; what they answered does not. The gate's own reasons count. */
function sameAnswer(a: Decision, b: Decision): boolean {
  const gist = ({ outcome, policyHash: hash, results }: Decision) =>
    canonicalJson({
      outcome,
      hash,
      results: results.map(({ reason, ...rest }) => (rest.policy === GATE ? { ...rest, reason } : rest)),
    });
  return gist(a) === gist(b);
}

/** Stands as the policy where the gate itself denies. */
const GATE = 'gate';

/** Bounds that keep the entry far below the ledger's 65,535 bytes. */
const ENTRY_RESULTS = 50;
const ENTRY_MISSING = 5;

function entryOf(decision: RecordedDecision): GateEntry {
  const against = decision.results.filter(({ outcome }) => outcome !== 'allow');
  return {
    kind: 'gate.decided',
    atMs: decision.atMs,
    actor: 'system:gate',
    service: decision.service,
    environment: decision.environment,
    subject: decision.digest,
    data: {
      decision: decision.id,
      outcome: decision.outcome,
      policyHash: decision.policyHash,
      inputsHash: decision.inputsHash,
      policies: decision.results.length,
      against: against.slice(0, ENTRY_RESULTS).map(({ policy, outcome, missing }) => ({
        policy,
        outcome,
        missing: missing.slice(0, ENTRY_MISSING),
      })),
      ...(decision.promotionId === null ? {} : { promotion: decision.promotionId }),
    },
  };
}

interface GatePolicies {
  known: readonly PolicyConfig[];
  /** Named by the environment, but not there. */
  unknown: readonly string[];
}

async function judgeNow(
  deps: GateDeps,
  subject: GateSubject,
  { known, unknown }: GatePolicies,
): Promise<{ facts: Facts; judgement: Judgement }> {
  const { service, environment, digest, repository } = subject;
  try {
    const facts = await gatherFacts(deps, subject, deps.clock.nowMs());
    const absent = unknown.map((name) => denied(name, `The platform has no policy "${name}".`));
    const judgement = decide(known, facts);
    if (absent.length === 0) return { facts, judgement };
    return { facts, judgement: { outcome: 'deny', results: [...judgement.results, ...absent] } };
  } catch (error) {
    if (!isSlipwayError(error)) {
      throw new SlipwayError('internal', 'the gate could not gather its facts', { cause: error });
    }
    if (error.retryable) throw error;
    const facts = {
      artifact: { digest, repository },
      service: { name: service },
      environment: { name: environment.name, production: environment.production },
    };
    return { facts, judgement: { outcome: 'deny', results: [denied(GATE, reasonOf(error))] } };
  }
}

function reasonOf(error: SlipwayError): string {
  return error.code === 'image_missing'
    ? `The image is not in the registry: ${error.message}`
    : `${error.code}: ${error.message}`;
}

function denied(policy: string, reason: string): PolicyResult {
  return { policy, severity: 'block', outcome: 'deny', reason: printable(reason), missing: [] };
}

/** Messages of peers may quote anything. */
function printable(text: string): string {
  return text.slice(0, 1_000).toWellFormed().replaceAll('\0', '\ufffd');
}

function environmentOf(platform: PlatformConfig, name: string): EnvironmentConfig {
  const environment = platform.environments.find((candidate) => candidate.name === name);
  if (environment === undefined) throw new SlipwayError('not_found', `there is no environment "${name}"`);
  return environment;
}

/** In the order the environment names them. */
function policiesOf(platform: PlatformConfig, environment: EnvironmentConfig): GatePolicies {
  const find = (name: string) => platform.policies.find((policy) => policy.name === name);
  return {
    known: environment.policies.flatMap((name) => find(name) ?? []),
    unknown: environment.policies.filter((name) => find(name) === undefined),
  };
}

export type Reverification = { ok: true } | { ok: false; reason: string };

/**
 * Whether a recorded decision still stands, for the moment before a rollout acts on it: it let the digest through, the
 * policies are the ones it was made under, and they still hold on the facts of now. Writes nothing. Throws retryable
 * errors as `evaluateGate` does.
 */
export async function reverify(deps: GateDeps, decisionId: string): Promise<Reverification> {
  const decision = await readDecision(deps.database, decisionId);
  if (decision === null) return { ok: false, reason: `there is no decision ${decisionId}` };
  if (decision.outcome === 'deny') return { ok: false, reason: 'the gate denied it' };
  const platform = await deps.platform();
  const environment = platform.environments.find(({ name }) => name === decision.environment);
  if (environment === undefined)
    return { ok: false, reason: `there is no environment "${decision.environment}" any more` };
  const policies = policiesOf(platform, environment);
  if (policyHash(policies.known) !== decision.policyHash) {
    return { ok: false, reason: 'the policies have changed since the decision' };
  }
  const subject = await subjectOf(deps, decision, environment);
  if (subject === null) return { ok: false, reason: 'the decision does not say where the image is' };
  const { judgement } = await judgeNow(deps, subject, policies);
  if (judgement.outcome !== 'deny') return { ok: true };
  const against = judgement.results.find(({ outcome }) => outcome === 'deny');
  return { ok: false, reason: `${against?.policy}: ${against?.reason}` };
}

async function subjectOf(
  deps: GateDeps,
  decision: RecordedDecision,
  environment: EnvironmentConfig,
): Promise<GateSubject | null> {
  const repository = (decision.inputs as Facts).artifact?.repository;
  if (repository === undefined) return null;
  const [promotion] = await deps.database.query<{ release_id: string | null }>(
    'select release_id from promotions where id = $1',
    [decision.promotionId],
  );
  const { service, digest } = decision;
  return { service, environment, digest, repository, releaseId: promotion?.release_id ?? null };
}
