import type { Decision, Outcome, PolicyResult } from '../../kernel/decision.ts';
import type { Digest } from '../../kernel/digest.ts';
import { json, type Queryable, type Transaction } from '../../platform/postgres/database.ts';
import { ENVIRONMENTS_LIMIT } from './facts.ts';

export interface CommitRow {
  sha: string;
  author: string;
  signature: string;
  committed_at: Date;
  message: string;
}

/** The release's commit, or without a release the one the artifact was registered with. */
export async function readCommit(
  database: Queryable,
  subject: { service: string; digest: Digest; releaseId: string | null },
): Promise<{ commit: CommitRow | null; releaseNumber: number | null }> {
  const [row] = await database.query<CommitRow & { number: number | null }>(
    `select c.sha, c.author, c.signature, c.committed_at, c.message, r.number
     from commits c left join releases r on r.id = $3 and r.service = c.service and r.commit_sha = c.sha
     where c.service = $1 and c.sha = case
       when $3::text is null then (select commit_sha from artifacts where digest = $2 and service = $1)
       else (select commit_sha from releases where id = $3 and service = $1) end`,
    [subject.service, subject.digest, subject.releaseId],
  );
  if (row === undefined) return { commit: null, releaseNumber: null };
  const { number, ...commit } = row;
  return { commit, releaseNumber: number };
}

/** Environments this service's digest has succeeded in, and whether it was turned back in this one. */
export async function readHistory(
  database: Queryable,
  subject: { service: string; environment: string; digest: Digest },
): Promise<{ succeededIn: string[]; rolledBackHere: boolean }> {
  const [row] = await database.query<{ succeeded: string[] | null; rolled_back: boolean | null }>(
    `select array_agg(distinct environment order by environment) filter (where outcome = 'succeeded') as succeeded,
            bool_or(environment = $3 and outcome in ('rolled-back', 'aborted')) as rolled_back
     from rollouts where service = $1 and digest = $2`,
    [subject.service, subject.digest, subject.environment],
  );
  const succeededIn = (row?.succeeded ?? []).slice(0, ENVIRONMENTS_LIMIT);
  return { succeededIn, rolledBackHere: row?.rolled_back ?? false };
}

export interface RecordedDecision extends Decision {
  promotionId: string | null;
}

interface DecisionRow {
  id: string;
  service: string;
  environment: string;
  digest: Digest;
  promotion_id: string | null;
  outcome: Outcome;
  policy_hash: Digest;
  results: PolicyResult[];
  inputs: Record<string, unknown>;
  inputs_hash: Digest;
  decided_at: Date;
}

function fromRow(row: DecisionRow): RecordedDecision {
  return {
    id: row.id,
    service: row.service,
    environment: row.environment,
    digest: row.digest,
    promotionId: row.promotion_id,
    outcome: row.outcome,
    policyHash: row.policy_hash,
    results: row.results,
    inputs: row.inputs,
    inputsHash: row.inputs_hash,
    atMs: row.decided_at.getTime(),
  };
}

export async function insertDecision(tx: Transaction, decision: RecordedDecision): Promise<void> {
  await tx.query(
    `insert into decisions (id, service, environment, digest, promotion_id, outcome, policy_hash, results, inputs,
                            inputs_hash, decided_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      decision.id,
      decision.service,
      decision.environment,
      decision.digest,
      decision.promotionId,
      decision.outcome,
      decision.policyHash,
      json(decision.results),
      json(decision.inputs),
      decision.inputsHash,
      new Date(decision.atMs),
    ],
  );
}

/** Two workers that judge one promotion at once write one decision. Held until the transaction ends. */
export async function lockPromotionDecisions(tx: Transaction, promotionId: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7220620))', [promotionId]);
}

/** The last decision about a promotion. */
export async function latestDecision(
  database: Queryable,
  subject: { promotionId: string; environment: string; digest: Digest },
): Promise<RecordedDecision | null> {
  const [row] = await database.query<DecisionRow>(
    `select * from decisions where promotion_id = $1 and environment = $2 and digest = $3
     order by decided_at desc, id desc limit 1`,
    [subject.promotionId, subject.environment, subject.digest],
  );
  return row === undefined ? null : fromRow(row);
}

export async function readDecision(database: Queryable, id: string): Promise<RecordedDecision | null> {
  const [row] = await database.query<DecisionRow>('select * from decisions where id = $1', [id]);
  return row === undefined ? null : fromRow(row);
}

export interface DecisionFilter {
  service?: string | undefined;
  environment?: string | undefined;
  digest?: string | undefined;
  sinceMs?: number | undefined;
  /** Ids of decisions before this one (ids sort by time). */
  before?: string | undefined;
  limit: number;
}

/** Newest first. */
export async function listDecisions(
  database: Queryable,
  filter: DecisionFilter,
): Promise<RecordedDecision[]> {
  const rows = await database.query<DecisionRow>(
    `select * from decisions
     where ($1::text is null or service = $1) and ($2::text is null or environment = $2)
       and ($3::text is null or digest = $3) and ($4::timestamptz is null or decided_at >= $4)
       and ($5::text is null or id < $5)
     order by id desc limit $6`,
    [
      filter.service ?? null,
      filter.environment ?? null,
      filter.digest ?? null,
      filter.sinceMs === undefined ? null : new Date(filter.sinceMs),
      filter.before ?? null,
      filter.limit,
    ],
  );
  return rows.map(fromRow);
}
