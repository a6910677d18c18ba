import { z } from 'zod';
import { isDigest, shortDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { PREDICATES } from '../../kernel/evidence.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { firstLine } from './matrix.ts';

const link = z.object({
  kind: z.enum([
    'deployment',
    'rollout',
    'promotion',
    'approval',
    'decision',
    'evidence',
    'artifact',
    'build',
    'release',
    'commit',
  ]),
  id: z.string(),
  at: z.string(),
  actor: z.string().nullable(),
  environment: z.string().nullable(),
  /** A sentence: what happened. */
  title: z.string(),
  /** Why; one line a reason. */
  reasons: z.array(z.string()),
  /** The ledger entries that record it. */
  entries: z.array(z.number()),
});

const whySchema = z.object({
  subject: z.string(),
  service: z.string(),
  environment: z.string().nullable(),
  digest: z.string(),
  /** Where these very bytes run now. */
  runningIn: z.array(z.string()),
  /** From the running bytes back to the commit. */
  chain: z.array(link),
});

export type Why = z.infer<typeof whySchema>;
type Link = z.infer<typeof link>;

export function whyRoute({ database }: { database: Database }): Route {
  return route({
    method: 'GET',
    path: '/v1/why',
    operationId: 'why',
    summary: 'From running bytes back to the commit, with every decision',
    tag: 'observe',
    access: { verb: 'read' },
    query: z.object({ subject: z.string().min(1).max(300) }),
    response: whySchema,
    handle: async (_context, { query }) => why(database, query.subject),
  });
}

interface Found {
  service: string;
  environment: string | null;
  digest: string;
}

/** `service/environment`, a digest, a rollout or promotion id, or the URL of a lane. */
async function resolve(database: Database, subject: string): Promise<Found> {
  const port = /^https?:\/\//.test(subject) && URL.canParse(subject) ? new URL(subject).port : null;
  const [a, b] = subject.includes('/') ? subject.split('/', 2) : [null, null];
  const rows = isDigest(subject)
    ? await database.query<Found>(
        'select service, null as environment, digest from artifacts where digest = $1',
        [subject],
      )
    : port !== null
      ? await database.query<Found>(
          'select service, environment, digest from lanes where listen_port = $1 and digest is not null',
          [Number(port || 0)],
        )
      : await database.query<Found>(
          `select service, environment, digest from rollouts where id = $1
           union all select service, environment, digest from promotions where id = $1
           union all select service, environment, digest from lanes where service = $2 and environment = $3 and digest is not null
           union all select service, null, digest from artifacts where digest like 'sha256:' || $4 || '%'`,
          [subject, a, b, /^[0-9a-f]{12,64}$/.test(subject) ? subject : '-'],
        );
  const [first] = rows;
  if (first === undefined) {
    throw new SlipwayError('not_found', `nothing is known of ${subject.slice(0, 100)}`, {
      hint: 'give service/environment, a digest, a rollout or promotion id, or the address of a deployment',
    });
  }
  return first;
}

async function why(database: Database, subject: string): Promise<Why> {
  const found = await resolve(database, subject);
  const parts = await Promise.all([
    deployments(database, found),
    rollouts(database, found),
    promotions(database, found),
    decisions(database, found),
    origin(database, found),
  ]);
  const chain = parts.flat();
  await addEntries(database, chain, found.digest);
  const lanes = await database.query<{ environment: string }>(
    'select environment from lanes where service = $1 and digest = $2 order by environment',
    [found.service, found.digest],
  );
  return {
    subject,
    service: found.service,
    environment: found.environment,
    digest: found.digest,
    runningIn: lanes.map((lane) => lane.environment),
    chain,
  };
}

async function deployments(database: Database, { service, environment, digest }: Found): Promise<Link[]> {
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

async function rollouts(database: Database, { service, environment, digest }: Found): Promise<Link[]> {
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

async function promotions(database: Database, { service, environment, digest }: Found): Promise<Link[]> {
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

async function decisions(database: Database, { service, environment, digest }: Found): Promise<Link[]> {
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

interface OriginRow {
  repository: string;
  created_at: Date;
  size_bytes: number;
  build_id: string | null;
  sandbox: string | null;
  build_at: Date | null;
  cache_hits: number | null;
  release_id: string | null;
  number: number | null;
  release_at: Date | null;
  created_by: string | null;
  sha: string;
  author: string;
  author_email: string;
  message: string;
  committed_at: Date;
  signature: string;
  repository_url: string;
}

async function origin(database: Database, { digest }: Found): Promise<Link[]> {
  const [row] = await database.query<OriginRow>(
    `select a.repository, a.created_at, a.size_bytes, b.id as build_id, b.sandbox, b.finished_at as build_at, b.cache_hits,
       r.id as release_id, r.number, r.created_at as release_at, r.created_by,
       c.sha, c.author, c.author_email, c.message, c.committed_at, c.signature, s.repository_url
     from artifacts a join services s on s.name = a.service
     join commits c on c.service = a.service and c.sha = a.commit_sha
     left join builds b on b.id = a.build_id
     left join releases r on r.service = a.service and r.commit_sha = a.commit_sha
     where a.digest = $1`,
    [digest],
  );
  if (row === undefined) return [];
  const base = { environment: null, entries: [] };
  const chain: Link[] = [
    {
      ...base,
      kind: 'artifact',
      id: digest,
      at: row.created_at.toISOString(),
      actor: null,
      title: `${row.repository}@${shortDigest(digest)} entered the registry`,
      reasons: [`${row.size_bytes} bytes`],
    },
  ];
  if (row.build_id && row.build_at) {
    const reasons = [`sandbox: ${row.sandbox ?? 'unknown'}`, `${row.cache_hits ?? 0} steps from the cache`];
    chain.push({
      ...base,
      kind: 'build',
      id: row.build_id,
      at: row.build_at.toISOString(),
      actor: null,
      title: 'built from the commit',
      reasons,
    });
  }
  if (row.release_id && row.release_at) {
    chain.push({
      ...base,
      kind: 'release',
      id: row.release_id,
      at: row.release_at.toISOString(),
      actor: row.created_by,
      title: `release ${row.number}`,
      reasons: [],
    });
  }
  chain.push({
    ...base,
    kind: 'commit',
    id: row.sha,
    at: row.committed_at.toISOString(),
    actor: `${row.author} <${row.author_email}>`,
    title: firstLine(row.message),
    reasons: [`repository: ${row.repository_url}`, `commit signature: ${row.signature}`],
  });
  return chain;
}

/** Evidence has no row of its own: its signature entries are about the digest. */
async function addEntries(database: Database, chain: Link[], digest: string): Promise<void> {
  const subjects = [...new Set([...chain.map((item) => item.id), digest])];
  const rows = await database.query<{
    index: number;
    subject: string;
    kind: string;
    at: Date;
    actor: string;
    body: Buffer;
  }>(
    'select index, subject, kind, at, actor, body from ledger_entries where subject = any($1) order by index limit 2000',
    [subjects],
  );
  for (const item of chain)
    item.entries = rows
      .filter((row) => row.subject === item.id && row.kind !== 'signature')
      .map((row) => row.index);
  const artifact = chain.findIndex((item) => item.kind === 'artifact');
  const signatures = rows.filter((row) => row.kind === 'evidence.attached');
  const evidence = signatures.map(
    (row): Link => ({
      kind: 'evidence',
      id: String(row.index),
      at: row.at.toISOString(),
      actor: row.actor,
      environment: null,
      title: `${predicateName(row.body)} attached, signed and in the ledger`,
      reasons: [],
      entries: [row.index],
    }),
  );
  if (artifact >= 0) chain.splice(artifact, 0, ...evidence);
}

const NAMES: Readonly<Record<string, string>> = {
  [PREDICATES.provenance]: 'provenance',
  [PREDICATES.sbom]: 'bill of materials',
  [PREDICATES.test]: 'test result',
  [PREDICATES.scan]: 'scan report',
  [PREDICATES.decision]: 'gate decision',
};

function predicateName(body: Buffer): string {
  const { data } = JSON.parse(body.toString('utf8')) as { data?: { predicateType?: string } };
  return NAMES[data?.predicateType ?? ''] ?? 'evidence';
}
