import { shortDigest } from '../../kernel/digest.ts';
import type { Database } from '../../platform/postgres/database.ts';
import type { Found, Link } from './why-schema.ts';

export async function deployments(
  database: Database,
  { service, environment, digest }: Found,
): Promise<Link[]> {
  const rows = await database.query<{
    environment: string;
    since: Date;
    rollout_id: string;
    listen_port: number | null;
  }>(
    `select environment, since, rollout_id, listen_port from lanes
     where service = $1 and digest = $2 and ($3::text is null or environment = $3) order by since desc`,
    [service, digest, environment],
  );
  return rows.map((row) => ({
    kind: 'deployment',
    id: `${service}/${row.environment}`,
    at: row.since.toISOString(),
    actor: null,
    environment: row.environment,
    title: `${service} in ${row.environment} runs ${shortDigest(digest)}${row.listen_port ? ` at http://127.0.0.1:${row.listen_port}/` : ''}`,
    reasons: [],
    entries: [],
  }));
}

export async function rollouts(database: Database, { service, environment, digest }: Found): Promise<Link[]> {
  const rows = await database.query<{
    id: string;
    environment: string;
    phase: string;
    outcome: string | null;
    reasons: string[];
    verdict: string | null;
    verdict_reason: string | null;
    at: Date;
  }>(
    `select r.id, r.environment, r.phase, r.outcome, r.reasons, a.verdict, a.reason as verdict_reason, coalesce(r.ended_at, r.updated_at) as at
     from rollouts r left join analyses a on a.rollout_id = r.id
     where r.service = $1 and r.digest = $2 and ($3::text is null or r.environment = $3) order by r.created_at desc limit 50`,
    [service, digest, environment],
  );
  return rows.map((row) => ({
    kind: 'rollout',
    id: row.id,
    at: row.at.toISOString(),
    actor: null,
    environment: row.environment,
    title:
      row.outcome === null
        ? `the rollout in ${row.environment} is ${row.phase}`
        : `the rollout in ${row.environment} ended: ${row.outcome}`,
    reasons: [
      ...row.reasons,
      ...(row.verdict ? [`analysis: ${row.verdict}. ${row.verdict_reason ?? ''}`.trim()] : []),
    ],
    entries: [],
  }));
}

export async function promotions(
  database: Database,
  { service, environment, digest }: Found,
): Promise<Link[]> {
  const rows = await database.query<{
    id: string;
    environment: string;
    status: string;
    reason: string | null;
    requested_by: string;
    status_at: Date;
  }>(
    `select id, environment, status, reason, requested_by, status_at from promotions
     where service = $1 and digest = $2 and ($3::text is null or environment = $3) order by created_at desc limit 50`,
    [service, digest, environment],
  );
  const approvals = await database.query<{
    id: string;
    environment: string;
    actor: string;
    answer: string;
    reason: string;
    given_at: Date;
  }>(
    `select a.id, p.environment, a.actor, a.answer, a.reason, a.given_at from approvals a join promotions p on p.id = a.promotion_id
     where p.service = $1 and p.digest = $2 and ($3::text is null or p.environment = $3) order by a.given_at desc`,
    [service, digest, environment],
  );
  return [
    ...rows.map(
      (row): Link => ({
        kind: 'promotion',
        id: row.id,
        at: row.status_at.toISOString(),
        actor: row.requested_by,
        environment: row.environment,
        title: `promotion to ${row.environment}: ${row.status}`,
        reasons: row.reason === null ? [] : [row.reason],
        entries: [],
      }),
    ),
    ...approvals.map(
      (row): Link => ({
        kind: 'approval',
        id: row.id,
        at: row.given_at.toISOString(),
        actor: row.actor,
        environment: row.environment,
        title: `${row.actor} ${row.answer === 'approve' ? 'approved' : 'refused'} it for ${row.environment}`,
        reasons: row.reason === '' ? [] : [row.reason],
        entries: [],
      }),
    ),
  ];
}

export async function decisions(
  database: Database,
  { service, environment, digest }: Found,
): Promise<Link[]> {
  const rows = await database.query<{
    id: string;
    environment: string;
    outcome: string;
    policy_hash: string;
    results: { policy: string; outcome: string; reason: string }[];
    decided_at: Date;
  }>(
    `select id, environment, outcome, policy_hash, results, decided_at from decisions
     where service = $1 and digest = $2 and ($3::text is null or environment = $3) order by decided_at desc limit 50`,
    [service, digest, environment],
  );
  return rows.map((row) => ({
    kind: 'decision',
    id: row.id,
    at: row.decided_at.toISOString(),
    actor: `policy:${shortDigest(row.policy_hash)}`,
    environment: row.environment,
    title: `the gate of ${row.environment} said ${row.outcome}`,
    reasons: row.results.map(
      (result) => `${result.policy}: ${result.outcome}${result.reason ? `, ${result.reason}` : ''}`,
    ),
    entries: [],
  }));
}
