import { shortDigest } from '../../kernel/digest.ts';
import { PREDICATES } from '../../kernel/evidence.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { firstLine } from './matrix-rows.ts';
import type { Found, Link } from './why-schema.ts';

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

export async function origin(database: Database, { digest }: Found): Promise<Link[]> {
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
export async function addEntries(database: Database, chain: Link[], digest: string): Promise<void> {
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
