import type { Database } from '../../platform/postgres/database.ts';
import type { LaneSample } from './sample.ts';

export interface LaneRow {
  service: string;
  environment: string;
  digest: string | null;
  release_id: string | null;
  rollout_id: string | null;
  since: Date | null;
  listen_port: number | null;
  number: number | null;
  commit_sha: string | null;
  message: string | null;
  sample: LaneSample | null;
  sampled_at: Date | null;
}

export interface RolloutRow {
  id: string;
  service: string;
  environment: string;
  digest: string;
  number: number | null;
  phase: string;
  outcome: string | null;
  reasons: string[];
  verdict: string | null;
  canary_weight: number;
  paused: boolean;
  created_at: Date;
  ended_at: Date | null;
}

export interface WaitingRow {
  id: string;
  service: string;
  environment: string;
  status: string;
  reason: string | null;
  number: number | null;
  status_at: Date;
}

export async function readServices(database: Database, only: string | null) {
  const rows = await database.query<{
    name: string;
    repository_url: string;
    branch: string;
    poll_problem: string | null;
    id: string | null;
    number: number;
    status: string;
    commit_sha: string;
    message: string;
    problem: string | null;
    created_at: Date;
  }>(
    `select s.name, s.repository_url, s.branch, s.poll_problem, r.id, r.number, r.status, r.commit_sha, r.problem, r.created_at, c.message
     from services s
     left join lateral (select * from releases where service = s.name order by number desc limit 1) r on true
     left join commits c on c.service = s.name and c.sha = r.commit_sha
     where $1::text is null or s.name = $1 order by s.name`,
    [only],
  );
  return rows.map((row) => ({
    name: row.name,
    repositoryUrl: row.repository_url,
    branch: row.branch,
    pollProblem: row.poll_problem,
    latest:
      row.id === null
        ? null
        : {
            id: row.id,
            number: row.number,
            status: row.status,
            commit: row.commit_sha,
            message: firstLine(row.message),
            problem: row.problem,
            createdAt: row.created_at.toISOString(),
          },
  }));
}

export function readLanes(database: Database, only: string | null): Promise<LaneRow[]> {
  return database.query<LaneRow>(
    `select l.service, l.environment, l.digest, l.release_id, l.rollout_id, l.since, l.listen_port, r.number, r.commit_sha, c.message, s.sample, s.at as sampled_at
     from lanes l
     left join releases r on r.id = l.release_id left join commits c on c.service = l.service and c.sha = r.commit_sha
     left join lateral (select sample, at from lane_samples where service = l.service and environment = l.environment order by at desc limit 1) s on true
     where $1::text is null or l.service = $1`,
    [only],
  );
}

/** The active rollout of each lane and the last that ended. */
export function readRollouts(database: Database, only: string | null): Promise<RolloutRow[]> {
  return database.query<RolloutRow>(
    `select distinct on (r.service, r.environment, r.ended_at is null)
       r.id, r.service, r.environment, r.digest, l.number, r.phase, r.outcome, r.reasons, a.verdict,
       (r.state->'weights'->>'canary')::float8 as canary_weight, r.state->'paused' <> 'null'::jsonb as paused, r.created_at, r.ended_at
     from rollouts r left join releases l on l.id = r.release_id left join analyses a on a.rollout_id = r.id
     where $1::text is null or r.service = $1
     order by r.service, r.environment, r.ended_at is null, r.ended_at desc nulls last, r.created_at desc`,
    [only],
  );
}

export function readWaiting(database: Database, only: string | null): Promise<WaitingRow[]> {
  return database.query<WaitingRow>(
    `select p.id, p.service, p.environment, p.status, p.reason, r.number, p.status_at
     from promotions p left join releases r on r.id = p.release_id
     where p.ended_at is null and p.status <> 'rolling' and ($1::text is null or p.service = $1) order by p.created_at`,
    [only],
  );
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
