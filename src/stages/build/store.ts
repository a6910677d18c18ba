import type { BuildStepConfig, ServiceConfig } from '../../kernel/config.ts';
import type { StepStatus } from '../../kernel/release.ts';
import { json, type Queryable } from '../../platform/postgres/database.ts';
import type { BuildReport } from './report.ts';
import { storable, storableJson } from './text.ts';

export type BuildStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface BuildRow {
  id: string;
  release_id: string | null;
  service: string;
  commit_sha: string;
  purpose: 'release' | 'verify';
  status: BuildStatus;
  sandbox: string | null;
  inputs_digest: string | null;
  toolchain: Record<string, string> | null;
  cache_hits: number;
  digest: string | null;
  report: BuildReport | null;
  problem: string | null;
  cancel_requested_by: string | null;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
}

export interface StepRow {
  name: string;
  position: number;
  needs: string[];
  status: StepStatus;
  cache_key: string | null;
  exit_code: number | null;
  problem: string | null;
  started_at: Date | null;
  finished_at: Date | null;
}

/** A build with what its commit, service and release say. */
export interface BuildSubject extends BuildRow {
  committed_at: Date;
  repository_url: string;
  config: ServiceConfig | null;
}

export async function readSubject(db: Queryable, id: string): Promise<BuildSubject | null> {
  const [row] = await db.query<BuildSubject>(
    `select builds.*, commits.committed_at, services.repository_url, releases.config
       from builds
       join commits on commits.service = builds.service and commits.sha = builds.commit_sha
       join services on services.name = builds.service
       left join releases on releases.service = builds.service and releases.commit_sha = builds.commit_sha
      where builds.id = $1`,
    [id],
  );
  return row ?? null;
}

export async function readBuild(db: Queryable, id: string): Promise<BuildRow | null> {
  const [row] = await db.query<BuildRow>('select * from builds where id = $1', [id]);
  return row ?? null;
}

export async function listBuilds(
  db: Queryable,
  service: string,
  limit: number,
  before: string | null,
): Promise<BuildRow[]> {
  return db.query<BuildRow>(
    'select * from builds where service = $1 and ($2::text is null or id < $2) order by id desc limit $3',
    [service, before, limit],
  );
}

export async function readSteps(db: Queryable, id: string): Promise<StepRow[]> {
  return db.query<StepRow>('select * from build_steps where build_id = $1 order by position', [id]);
}

export async function insertBuild(
  db: Queryable,
  build: {
    id: string;
    releaseId: string | null;
    service: string;
    commit: string;
    purpose: string;
    atMs: number;
  },
): Promise<void> {
  await db.query(
    `insert into builds (id, release_id, service, commit_sha, purpose, status, created_at)
     values ($1, $2, $3, $4, $5, 'queued', $6)`,
    [build.id, build.releaseId, build.service, build.commit, build.purpose, new Date(build.atMs)],
  );
}

/** True for the caller that takes the build out of the queue; a build already running is only picked up again. */
export async function markRunning(
  db: Queryable,
  id: string,
  facts: { sandbox: string; toolchain: Record<string, string>; atMs: number },
): Promise<boolean> {
  const rows = await db.query(
    `update builds set status = 'running', sandbox = $2, toolchain = $3, started_at = $4
      where id = $1 and status = 'queued' returning id`,
    [id, facts.sandbox, json(facts.toolchain), new Date(facts.atMs)],
  );
  return rows.length > 0;
}

/** True when the build was open; a finished build never changes. */
export async function markFinished(db: Queryable, id: string, report: BuildReport): Promise<boolean> {
  const rows = await db.query(
    `update builds set status = $2, inputs_digest = $3, cache_hits = $4, digest = $5, report = $6, problem = $7, finished_at = $8
      where id = $1 and status in ('queued', 'running') returning id`,
    [
      id,
      report.status,
      report.inputsDigest,
      report.cacheHits,
      report.image?.digest ?? null,
      storableJson(report),
      report.error && storable(report.error.message),
      new Date(report.finishedAtMs),
    ],
  );
  return rows.length > 0;
}

/** The steps as they stand before the first one runs; what an earlier, interrupted run wrote is replaced. */
export async function resetSteps(
  db: Queryable,
  id: string,
  steps: readonly BuildStepConfig[],
): Promise<void> {
  await db.query('delete from build_steps where build_id = $1', [id]);
  for (const [position, step] of steps.entries()) {
    await db.query(
      `insert into build_steps (build_id, name, position, needs, status) values ($1, $2, $3, $4, 'waiting')`,
      [id, step.name, position, step.needs],
    );
  }
}

export interface StepChange {
  status: StepStatus;
  cacheKey?: string | null;
  exitCode?: number | null;
  problem?: string | null;
  startedAtMs?: number;
  finishedAtMs?: number;
}

/** Members that are absent keep their value. */
export async function updateStep(db: Queryable, id: string, name: string, change: StepChange): Promise<void> {
  await db.query(
    `update build_steps set status = $3, cache_key = coalesce($4, cache_key), exit_code = coalesce($5, exit_code),
            problem = coalesce($6, problem), started_at = coalesce($7, started_at), finished_at = coalesce($8, finished_at)
      where build_id = $1 and name = $2`,
    [
      id,
      name,
      change.status,
      change.cacheKey ?? null,
      change.exitCode ?? null,
      change.problem ? storable(change.problem) : null,
      change.startedAtMs === undefined ? null : new Date(change.startedAtMs),
      change.finishedAtMs === undefined ? null : new Date(change.finishedAtMs),
    ],
  );
}

/** Null when there is no such open build. */
export async function requestCancel(db: Queryable, id: string, actor: string): Promise<BuildRow | null> {
  const [row] = await db.query<BuildRow>(
    `update builds set cancel_requested_by = coalesce(cancel_requested_by, $2)
      where id = $1 and status in ('queued', 'running') returning *`,
    [id, actor],
  );
  return row ?? null;
}

export async function readCancel(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ cancel_requested_by: string | null }>(
    'select cancel_requested_by from builds where id = $1',
    [id],
  );
  return row?.cancel_requested_by ?? null;
}

/** Digest that a release of this commit was built to; null when none was. */
export async function readReleasedDigest(
  db: Queryable,
  service: string,
  commit: string,
): Promise<string | null> {
  const [row] = await db.query<{ digest: string | null }>(
    `select digest from builds where service = $1 and commit_sha = $2 and purpose = 'release' and status = 'succeeded'
      order by id desc limit 1`,
    [service, commit],
  );
  return row?.digest ?? null;
}

export async function commitExists(db: Queryable, service: string, commit: string): Promise<boolean> {
  return (
    (await db.query('select 1 from commits where service = $1 and sha = $2', [service, commit])).length > 0
  );
}
