import type { Digest } from '../../kernel/digest.ts';
import { type Lane, laneOf } from '../../kernel/ids.ts';
import type { AnalysisSpec, RolloutPhase } from '../../kernel/rollout.ts';
import type { EvidencePoint, Verdict } from '../../kernel/verdict.ts';
import { json, type Queryable } from '../../platform/postgres/database.ts';
import type { AnalysisState } from './state.ts';

/** Points of a series beyond which older ones are thinned out: more cannot be told apart on a screen. */
export const MAX_POINTS = 600;
/** The newest points, which are never thinned out. */
const KEEP_NEWEST = 200;

export interface AnalysisRow {
  rolloutId: string;
  lane: Lane;
  phase: RolloutPhase;
  spec: AnalysisSpec;
  state: AnalysisState | null;
  verdict: Verdict;
  reason: string;
  generation: number;
  /** The canary's bytes, and those it is compared with. */
  digest: Digest;
  previousDigest: Digest | null;
}

export interface AnalysisWrite {
  rolloutId: string;
  generation: number;
  state: AnalysisState | null;
  verdict: Verdict;
  reason: string;
  point: EvidencePoint | null;
  /** The rollout's reconciler should look at once. */
  wake: boolean;
}

/** Analyses of rollouts that have not ended and have not turned back, in id order, after `afterId`. */
export async function loadAnalyses(
  database: Queryable,
  afterId: string,
  limit: number,
): Promise<AnalysisRow[]> {
  const rows = await database.query<{
    rollout_id: string;
    service: string;
    environment: string;
    phase: RolloutPhase;
    spec: AnalysisSpec;
    state: AnalysisState | null;
    verdict: Verdict;
    reason: string;
    generation: number;
    digest: Digest;
    previousDigest: Digest | null;
  }>(
    `select a.rollout_id, r.service, r.environment, r.phase, a.spec, a.state, a.verdict, a.reason, a.generation,
            r.digest, r.previous_digest as "previousDigest"
       from rollouts r join analyses a on a.rollout_id = r.id
      where r.ended_at is null and r.phase <> 'rolling-back' and r.id > $1
      order by r.id limit $2`,
    [afterId, limit],
  );
  return rows.map(({ rollout_id, service, environment, ...rest }) => ({
    rolloutId: rollout_id,
    lane: laneOf(service, environment),
    ...rest,
  }));
}

/**
 * One statement, so one transaction: state and verdict by compare-and-swap on the generation, the point of the series, the
 * wake-up of the rollout. A row that another worker wrote first is left alone, its point with it. Returns the rows written.
 * The new generation numbers the point, so numbers rise and none is used twice.
 */
export async function writeAnalyses(
  database: Queryable,
  writes: readonly AnalysisWrite[],
  nowMs: number,
): Promise<string[]> {
  if (writes.length === 0) return [];
  const rows = await database.query<{ rollout_id: string }>(
    `with input as (
       select * from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::bool[])
         as t (rollout_id, generation, state, verdict, reason, point, at_ms, wake)
     ), updated as (
       update analyses a
          set state = i.state::jsonb, verdict = i.verdict, reason = i.reason,
              generation = a.generation + 1, updated_at = $9
         from input i
        where a.rollout_id = i.rollout_id and a.generation = i.generation
       returning a.rollout_id, a.generation, i.point, i.at_ms, i.wake
     ), drawn as (
       insert into evidence_points (rollout_id, n, at, point)
       select rollout_id, generation, to_timestamp(at_ms / 1000), point::jsonb from updated where point is not null
     ), woken as (
       update rollouts r set wake_at = least(r.wake_at, $9)
         from updated u
        where r.id = u.rollout_id and u.wake and r.ended_at is null
     )
     select rollout_id from updated`,
    [
      writes.map(({ rolloutId }) => rolloutId),
      writes.map(({ generation }) => generation),
      writes.map(({ state }) => (state === null ? null : json(state))),
      writes.map(({ verdict }) => verdict),
      writes.map(({ reason }) => reason),
      writes.map(({ point }) => (point === null ? null : json(point))),
      writes.map(({ point }) => point?.atMs ?? null),
      writes.map(({ wake }) => wake),
      new Date(nowMs),
    ],
  );
  return rows.map(({ rollout_id }) => rollout_id);
}

/**
 * Keeps long series drawable: of a series above MAX_POINTS every second point goes, but for the newest ones and those at
 * which the verdict changed. The older, the sparser.
 */
export async function thinEvidence(database: Queryable, rolloutIds: readonly string[]): Promise<void> {
  await database.query(
    `delete from evidence_points p
      using (
        select rollout_id, n,
               row_number() over series as place,
               count(*) over (partition by rollout_id) as total,
               point->>'verdict' is distinct from lag(point->>'verdict') over series as turned
          from evidence_points where rollout_id = any($1)
        window series as (partition by rollout_id order by n)
      ) s
      where p.rollout_id = s.rollout_id and p.n = s.n
        and s.total > $2 and s.place <= s.total - $3 and s.place % 2 = 0 and not s.turned`,
    [rolloutIds, MAX_POINTS, KEEP_NEWEST],
  );
}

export interface EvidenceSeries {
  spec: AnalysisSpec | null;
  verdict: Verdict;
  reason: string;
  updatedAtMs: number | null;
  points: readonly { n: number; point: EvidencePoint }[];
}

/**
 * The evidence of a rollout, oldest first; `afterN` leaves out what the caller has. null when there is no such rollout; a
 * rollout without analysis has no spec and no points. Thinning bounds the series to a little over MAX_POINTS.
 */
export async function readEvidence(
  database: Queryable,
  rolloutId: string,
  afterN = -1,
): Promise<EvidenceSeries | null> {
  const [head] = await database.query<{
    spec: AnalysisSpec | null;
    verdict: Verdict | null;
    reason: string | null;
    updated_at: Date | null;
  }>(
    `select a.spec, a.verdict, a.reason, a.updated_at
       from rollouts r left join analyses a on a.rollout_id = r.id where r.id = $1`,
    [rolloutId],
  );
  if (head === undefined) return null;
  const points = await database.query<{ n: number; point: EvidencePoint }>(
    'select n, point from evidence_points where rollout_id = $1 and n > $2 order by n limit $3',
    [rolloutId, afterN, 2 * MAX_POINTS],
  );
  return {
    spec: head.spec,
    verdict: head.verdict ?? 'no-data',
    reason: head.reason ?? 'this rollout is not analysed',
    updatedAtMs: head.updated_at?.getTime() ?? null,
    points,
  };
}
