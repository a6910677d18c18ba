import type { CommitInfo } from '../../platform/git/commit.ts';
import type { Queryable, Transaction } from '../../platform/postgres/database.ts';

export interface ServiceRow {
  name: string;
  repositoryUrl: string;
  branch: string;
  hookSecretSealed: string | null;
  createdAtMs: number;
  polledAtMs: number | null;
  pollProblem: string | null;
}

interface RawService {
  name: string;
  repository_url: string;
  branch: string;
  hook_secret_sealed: string | null;
  created_at: Date;
  polled_at: Date | null;
  poll_problem: string | null;
}

function toService(raw: RawService): ServiceRow {
  return {
    name: raw.name,
    repositoryUrl: raw.repository_url,
    branch: raw.branch,
    hookSecretSealed: raw.hook_secret_sealed,
    createdAtMs: raw.created_at.getTime(),
    polledAtMs: raw.polled_at?.getTime() ?? null,
    pollProblem: raw.poll_problem,
  };
}

export async function findService(sql: Queryable, name: string): Promise<ServiceRow | null> {
  const [raw] = await sql.query<RawService>('select * from services where name = $1', [name]);
  return raw ? toService(raw) : null;
}

export async function listServices(sql: Queryable): Promise<ServiceRow[]> {
  return (await sql.query<RawService>('select * from services order by name')).map(toService);
}

/** One pass at a time works on a service. */
export async function lockService(tx: Transaction, name: string): Promise<ServiceRow | null> {
  const [raw] = await tx.query<RawService>('select * from services where name = $1 for update', [name]);
  return raw ? toService(raw) : null;
}

/** False when the name is taken. */
export async function insertService(tx: Transaction, service: ServiceRow): Promise<boolean> {
  const rows = await tx.query(
    `insert into services (name, repository_url, branch, hook_secret_sealed, created_at)
     values ($1, $2, $3, $4, $5) on conflict do nothing returning name`,
    [
      service.name,
      service.repositoryUrl,
      service.branch,
      service.hookSecretSealed,
      new Date(service.createdAtMs),
    ],
  );
  return rows.length > 0;
}

export async function recordPoll(
  sql: Queryable,
  name: string,
  nowMs: number,
  problem: string | null,
): Promise<void> {
  await sql.query('update services set polled_at = $2, poll_problem = $3 where name = $1', [
    name,
    new Date(nowMs),
    problem,
  ]);
}

/** Which of the commits are recorded, and which have a release. */
export async function knownCommits(
  sql: Queryable,
  service: string,
  shas: readonly string[],
): Promise<{ known: Set<string>; released: Set<string>; seenBefore: boolean }> {
  const rows = await sql.query<{ sha: string; released: boolean }>(
    `select sha, exists (select from releases where service = $1 and commit_sha = sha) as released
     from commits where service = $1 and sha = any($2)`,
    [service, shas],
  );
  const any = await sql.query('select from commits where service = $1 limit 1', [service]);
  return {
    known: new Set(rows.map((row) => row.sha)),
    released: new Set(rows.filter((row) => row.released).map((row) => row.sha)),
    seenBefore: any.length > 0,
  };
}

/** False when it was recorded before. */
export async function insertCommit(
  tx: Transaction,
  service: string,
  commit: CommitInfo,
  seen: { ref: string; atMs: number },
): Promise<boolean> {
  const rows = await tx.query(
    `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning sha`,
    [
      service,
      commit.sha,
      commit.parents,
      commit.author,
      commit.authorEmail,
      new Date(commit.committedAtMs),
      commit.message,
      commit.signature,
      seen.ref,
      new Date(seen.atMs),
    ],
  );
  return rows.length > 0;
}

export interface CommitRow extends Omit<CommitInfo, 'committer'> {
  ref: string;
  seenAtMs: number;
  release: { id: string; number: number; status: string } | null;
}

interface RawCommit {
  sha: string;
  parent_shas: string[];
  author: string;
  author_email: string;
  committed_at: Date;
  message: string;
  signature: CommitInfo['signature'];
  ref: string;
  seen_at: Date;
  release_id: string | null;
  number: number | null;
  status: string | null;
}

/** The latest seen first; `before` is the last commit of the page before. */
export async function listCommits(
  sql: Queryable,
  service: string,
  page: { limit: number; before?: string | undefined },
): Promise<CommitRow[]> {
  const rows = await sql.query<RawCommit>(
    `select c.*, r.id as release_id, r.number, r.status
     from commits c left join releases r on r.service = c.service and r.commit_sha = c.sha
     where c.service = $1 and ($2::text is null or (c.seen_at, c.committed_at, c.sha) <
       (select seen_at, committed_at, sha from commits where service = $1 and sha = $2))
     order by c.seen_at desc, c.committed_at desc, c.sha desc limit $3`,
    [service, page.before ?? null, page.limit],
  );
  return rows.map((raw) => ({
    sha: raw.sha,
    parents: raw.parent_shas,
    author: raw.author,
    authorEmail: raw.author_email,
    committedAtMs: raw.committed_at.getTime(),
    message: raw.message,
    signature: raw.signature,
    ref: raw.ref,
    seenAtMs: raw.seen_at.getTime(),
    release:
      raw.release_id === null
        ? null
        : { id: raw.release_id, number: raw.number ?? 0, status: raw.status ?? '' },
  }));
}
