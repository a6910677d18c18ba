import type { ServiceConfig } from '../kernel/config.ts';
import type { Digest } from '../kernel/digest.ts';
import { formatDiagnostic, isSlipwayError, type SlipwayError } from '../kernel/errors.ts';
import type { EntryBody } from '../kernel/event.ts';
import { newId } from '../kernel/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { type Database, json, type Queryable, type Transaction } from '../platform/postgres/database.ts';

/** What a finished build hands on. */
export interface BuiltArtifact {
  buildId: string;
  repository: string;
  digest: Digest;
  mediaType: string;
  sizeBytes: number;
}

/** The stages a release passes before any environment, as functions of ids; flow.ts fills them in. */
export interface ReleaseDeps {
  database: Database;
  clock: Clock;
  log: Logger;
  append(
    tx: Transaction,
    entry: {
      kind: EntryBody['kind'];
      atMs: number;
      actor: string;
      service: string;
      subject: string;
      data: Record<string, unknown>;
    },
  ): Promise<unknown>;
  wakeRelease(tx: Queryable, id: string): Promise<void>;
  wakeReleaseLater(tx: Queryable, id: string, atMs: number): Promise<void>;
  readConfig(service: string, sha: string): Promise<{ config: ServiceConfig; digest: Digest }>;
  /** Runs or resumes the build; throws a SlipwayError when it fails. */
  build(buildId: string, signal: AbortSignal): Promise<BuiltArtifact>;
  /** Ends the release's build, if it has one that is still open, with this reason. */
  abandon(releaseId: string, error: unknown): Promise<void>;
  /** Signs and attaches what the build proves; idempotent. */
  attest(releaseId: string, artifact: BuiltArtifact): Promise<void>;
  /** Runs the configured scanners; idempotent. */
  scan(service: string, artifact: BuiltArtifact): Promise<void>;
  /** Opens the promotions to environments that come first and take releases by themselves. */
  promoteFirst(tx: Transaction, release: { id: string; service: string; digest: Digest }): Promise<void>;
}

const ACTOR = 'system:worker';
/** Failures that may pass are tried again for so long; nothing waits for ever. */
const RELEASE_DEADLINE_MS = 3_600_000;

/** Makes the release of a commit, or finds the one it has. Numbers count up within the service. */
export async function createRelease(
  deps: Pick<ReleaseDeps, 'clock' | 'append' | 'wakeRelease'>,
  tx: Transaction,
  input: { service: string; sha: string; actor: string; atMs: number },
): Promise<string> {
  const { service, sha, actor, atMs } = input;
  await tx.query('select 1 from services where name = $1 for update', [service]);
  const [existing] = await tx.query<{ id: string }>(
    'select id from releases where service = $1 and commit_sha = $2',
    [service, sha],
  );
  if (existing) return existing.id;
  const id = newId('rel', atMs, deps.clock.random);
  const [row] = await tx.query<{ number: number }>(
    `insert into releases (id, service, number, commit_sha, status, created_by, created_at)
     values ($1, $2, (select coalesce(max(number), 0) + 1 from releases where service = $2), $3, 'queued', $4, $5) returning number`,
    [id, service, sha, actor, new Date(atMs)],
  );
  await deps.append(tx, {
    kind: 'release.created',
    atMs,
    actor,
    service,
    subject: id,
    data: { commit: sha, number: row?.number ?? 0 },
  });
  await deps.wakeRelease(tx, id);
  return id;
}

interface Row {
  id: string;
  service: string;
  commit_sha: string;
  status: string;
  created_by: string;
  created_at: Date;
}

/**
 * Carries a release from its commit to an artifact with evidence. Safe to run again from any point: every stage finds
 * what it did before. Failures that may pass are said with the release and tried again; the rest end it with the reason.
 */
export async function reconcileRelease(deps: ReleaseDeps, id: string, signal: AbortSignal): Promise<void> {
  const [release] = await deps.database.query<Row>(
    'select id, service, commit_sha, status, created_by, created_at from releases where id = $1',
    [id],
  );
  if (release === undefined || !['queued', 'building'].includes(release.status)) return;
  try {
    const buildId = await startBuild(deps, release);
    const artifact = await deps.build(buildId, signal);
    await register(deps, release, artifact);
    await deps.attest(id, artifact);
    await deps.scan(release.service, artifact);
    await finish(deps, release, artifact);
  } catch (error) {
    if (signal.aborted) throw error;
    const overdue = deps.clock.nowMs() >= release.created_at.getTime() + RELEASE_DEADLINE_MS;
    if (isSlipwayError(error) && error.retryable && error.code !== 'internal' && !overdue)
      return waitFor(deps, release, error);
    await deps.abandon(release.id, error);
    await fail(deps, release, error);
  }
}

/** The longer it has not worked, the more seldom it is tried. */
function retryMs(ageMs: number): number {
  return Math.min(30_000, Math.max(1_000, ageMs / 10));
}

/** Nobody has to read a log to learn why a release does not go on. Without a database the queue tries again by itself. */
async function waitFor(deps: ReleaseDeps, release: Row, error: SlipwayError): Promise<void> {
  const nowMs = deps.clock.nowMs();
  deps.log.warn({ release: release.id, code: error.code, err: error }, 'a release waits and is tried again');
  const problem = `tried again by itself: ${error.message}${error.hint ? `\n${error.hint}` : ''}`;
  await deps.database.query(
    `update releases set problem = $2 where id = $1 and status in ('queued', 'building') and problem is distinct from $2`,
    [release.id, problem],
  );
  const ageMs = nowMs - release.created_at.getTime();
  await deps.wakeReleaseLater(deps.database, release.id, nowMs + retryMs(ageMs));
}

/** Reads the configuration of the commit and makes the build's row, once. */
async function startBuild(deps: ReleaseDeps, release: Row): Promise<string> {
  const { id, service, commit_sha: sha } = release;
  const [open] = await deps.database.query<{ id: string }>(
    `select id from builds where release_id = $1 and purpose = 'release' order by created_at desc limit 1`,
    [id],
  );
  if (open) return open.id;
  const { config, digest } = await deps.readConfig(service, sha);
  const nowMs = deps.clock.nowMs();
  const buildId = newId('bld', nowMs, deps.clock.random);
  await deps.database.transaction(async (tx) => {
    await tx.query(`update releases set status = 'building', config = $2, config_digest = $3 where id = $1`, [
      id,
      json(config),
      digest,
    ]);
    await tx.query(
      `insert into builds (id, release_id, service, commit_sha, purpose, status, created_at) values ($1, $2, $3, $4, 'release', 'queued', $5)`,
      [buildId, id, service, sha, new Date(nowMs)],
    );
  });
  return buildId;
}

/** Two commits may build to the same bytes: the artifact then keeps its first build. */
async function register(deps: ReleaseDeps, release: Row, artifact: BuiltArtifact): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const { digest, repository, buildId, mediaType, sizeBytes } = artifact;
  await deps.database.transaction(async (tx) => {
    const inserted = await tx.query(
      `insert into artifacts (digest, service, repository, build_id, commit_sha, media_type, size_bytes, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (digest) do nothing returning digest`,
      [
        digest,
        release.service,
        repository,
        buildId,
        release.commit_sha,
        mediaType,
        sizeBytes,
        new Date(nowMs),
      ],
    );
    if (inserted.length === 0) return;
    const data = { repository, buildId, commit: release.commit_sha, sizeBytes, mediaType };
    await deps.append(tx, {
      kind: 'artifact.registered',
      atMs: nowMs,
      actor: ACTOR,
      service: release.service,
      subject: digest,
      data,
    });
  });
}

async function finish(deps: ReleaseDeps, release: Row, artifact: BuiltArtifact): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const { id, service } = release;
  await deps.database.transaction(async (tx) => {
    const done = await tx.query(
      `update releases set status = 'built', digest = $2, finished_at = $3, problem = null, generation = generation + 1
       where id = $1 and status = 'building' returning id`,
      [id, artifact.digest, new Date(nowMs)],
    );
    if (done.length === 0) return;
    await deps.append(tx, {
      kind: 'release.built',
      atMs: nowMs,
      actor: ACTOR,
      service,
      subject: id,
      data: { digest: artifact.digest, buildId: artifact.buildId },
    });
    await deps.promoteFirst(tx, { id, service, digest: artifact.digest });
  });
}

async function fail(deps: ReleaseDeps, release: Row, error: unknown): Promise<void> {
  const known = isSlipwayError(error);
  const problem = known
    ? [error.message, ...error.diagnostics.map(formatDiagnostic), ...(error.hint ? [error.hint] : [])].join(
        '\n',
      )
    : 'something failed inside Slipway; the worker log has the details';
  if (!known) deps.log.error({ release: release.id, error }, 'a release failed for an unknown reason');
  const code = known ? error.code : 'internal';
  const status = code === 'cancelled' ? 'cancelled' : 'failed';
  const nowMs = deps.clock.nowMs();
  await deps.database.transaction(async (tx) => {
    const done = await tx.query(
      `update releases set status = $2, problem = $3, finished_at = $4, generation = generation + 1
       where id = $1 and status in ('queued', 'building') returning id`,
      [release.id, status, problem, new Date(nowMs)],
    );
    if (done.length === 0) return;
    const kind = status === 'cancelled' ? ('release.cancelled' as const) : ('release.failed' as const);
    await deps.append(tx, {
      kind,
      atMs: nowMs,
      actor: ACTOR,
      service: release.service,
      subject: release.id,
      data: { code, problem: problem.slice(0, 4_000) },
    });
  });
}
