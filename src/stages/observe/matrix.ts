import { z } from 'zod';
import type { PlatformConfig } from '../../kernel/config.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import type { LaneSample } from './sample.ts';

const group = z.object({
  rps: z.number(),
  errorRate: z.number().nullable(),
  p50S: z.number().nullable(),
  p95S: z.number().nullable(),
  p99S: z.number().nullable(),
  digest: z.string().nullable(),
});

export const laneSampleSchema = z.object({
  groups: z.object({ stable: group.optional(), baseline: group.optional(), canary: group.optional() }),
  weights: z.object({ stable: z.number(), baseline: z.number(), canary: z.number() }).nullable(),
  instances: z.object({ ready: z.number(), total: z.number() }),
  unrouted: z.number(),
});

const cell = z.object({
  service: z.string(),
  environment: z.string(),
  /** What runs when nothing moves; null when nothing ever took over. */
  current: z
    .object({
      digest: z.string(),
      releaseId: z.string().nullable(),
      releaseNumber: z.number().nullable(),
      commit: z.string().nullable(),
      message: z.string().nullable(),
      rolloutId: z.string().nullable(),
      since: z.string(),
    })
    .nullable(),
  url: z.string().nullable(),
  sample: laneSampleSchema.extend({ at: z.string() }).nullable(),
  health: z.enum(['healthy', 'degraded', 'down', 'no-data', 'empty']),
  healthReason: z.string(),
  moving: z
    .object({
      rolloutId: z.string(),
      digest: z.string(),
      releaseNumber: z.number().nullable(),
      phase: z.string(),
      weight: z.number(),
      verdict: z.string().nullable(),
      reason: z.string(),
      paused: z.boolean(),
      since: z.string(),
    })
    .nullable(),
  waiting: z.array(
    z.object({
      promotionId: z.string(),
      status: z.string(),
      reason: z.string(),
      releaseNumber: z.number().nullable(),
      since: z.string(),
    }),
  ),
  last: z
    .object({
      rolloutId: z.string(),
      outcome: z.string(),
      reason: z.string(),
      releaseNumber: z.number().nullable(),
      at: z.string(),
    })
    .nullable(),
});

const matrixSchema = z.object({
  at: z.string(),
  environments: z.array(
    z.object({ name: z.string(), after: z.string().nullable(), production: z.boolean() }),
  ),
  services: z.array(
    z.object({
      name: z.string(),
      repositoryUrl: z.string(),
      branch: z.string(),
      pollProblem: z.string().nullable(),
      /** The newest release, whatever became of it. */
      latest: z
        .object({
          id: z.string(),
          number: z.number(),
          status: z.string(),
          commit: z.string(),
          message: z.string(),
          problem: z.string().nullable(),
          createdAt: z.string(),
        })
        .nullable(),
      cells: z.array(cell),
    }),
  ),
});

type Cell = z.infer<typeof cell>;

interface LaneRow {
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

interface RolloutRow {
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

interface WaitingRow {
  id: string;
  service: string;
  environment: string;
  status: string;
  reason: string | null;
  number: number | null;
  status_at: Date;
}

export interface ObserveDeps {
  database: Database;
  platform(): Promise<PlatformConfig>;
}

/** A sample older than this says nothing about now. */
const STALE_MS = 10_000;

export function matrixRoute({ database, platform }: ObserveDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/matrix',
    operationId: 'matrix',
    summary: 'What runs where, what moves, what waits and why',
    tag: 'observe',
    access: { verb: 'read' },
    query: z.object({ service: z.string().max(63).optional() }),
    response: matrixSchema,
    async handle({ nowMs }, { query }) {
      const { environments } = await platform();
      const only = query.service ?? null;
      const [services, lanes, rollouts, waiting] = await Promise.all([
        readServices(database, only),
        readLanes(database, only),
        readRollouts(database, only),
        readWaiting(database, only),
      ]);
      const cellOf = (service: string, environment: string): Cell => {
        const here = (row: { service: string; environment: string }) =>
          row.service === service && row.environment === environment;
        return toCell(
          service,
          environment,
          lanes.find(here),
          rollouts.filter(here),
          waiting.filter(here),
          nowMs,
        );
      };
      return {
        at: new Date(nowMs).toISOString(),
        environments: environments.map(({ name, after, production }) => ({ name, after, production })),
        services: services.map((service) => ({
          ...service,
          cells: environments.map((environment) => cellOf(service.name, environment.name)),
        })),
      };
    },
  });
}

async function readServices(database: Database, only: string | null) {
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

function readLanes(database: Database, only: string | null): Promise<LaneRow[]> {
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
function readRollouts(database: Database, only: string | null): Promise<RolloutRow[]> {
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

function readWaiting(database: Database, only: string | null): Promise<WaitingRow[]> {
  return database.query<WaitingRow>(
    `select p.id, p.service, p.environment, p.status, p.reason, r.number, p.status_at
     from promotions p left join releases r on r.id = p.release_id
     where p.ended_at is null and p.status <> 'rolling' and ($1::text is null or p.service = $1) order by p.created_at`,
    [only],
  );
}

function toCell(
  service: string,
  environment: string,
  lane: LaneRow | undefined,
  rollouts: RolloutRow[],
  waiting: WaitingRow[],
  nowMs: number,
): Cell {
  const active = rollouts.find((rollout) => rollout.ended_at === null);
  const ended = rollouts.find((rollout) => rollout.ended_at !== null);
  const fresh = lane?.sampled_at && nowMs - lane.sampled_at.getTime() < STALE_MS ? lane.sample : null;
  const [health, healthReason] = judgeHealth(lane, fresh);
  return {
    service,
    environment,
    current:
      lane?.digest && lane.since
        ? {
            digest: lane.digest,
            releaseId: lane.release_id,
            releaseNumber: lane.number,
            commit: lane.commit_sha,
            message: lane.message === null ? null : firstLine(lane.message),
            rolloutId: lane.rollout_id,
            since: lane.since.toISOString(),
          }
        : null,
    url: lane?.listen_port ? `http://127.0.0.1:${lane.listen_port}/` : null,
    sample: fresh && lane?.sampled_at ? { ...fresh, at: lane.sampled_at.toISOString() } : null,
    health,
    healthReason,
    moving: active
      ? {
          rolloutId: active.id,
          digest: active.digest,
          releaseNumber: active.number,
          phase: active.phase,
          weight: active.canary_weight,
          verdict: active.verdict,
          reason: active.reasons[0] ?? '',
          paused: active.paused,
          since: active.created_at.toISOString(),
        }
      : null,
    waiting: waiting.map((row) => ({
      promotionId: row.id,
      status: row.status,
      reason: row.reason ?? '',
      releaseNumber: row.number,
      since: row.status_at.toISOString(),
    })),
    last:
      ended?.ended_at && ended.outcome
        ? {
            rolloutId: ended.id,
            outcome: ended.outcome,
            reason: ended.reasons[0] ?? '',
            releaseNumber: ended.number,
            at: ended.ended_at.toISOString(),
          }
        : null,
  };
}

/** Health of what runs, apart from what moves. No data is neither zero nor healthy. */
function judgeHealth(lane: LaneRow | undefined, sample: LaneSample | null): [Cell['health'], string] {
  if (!lane?.digest) return ['empty', 'nothing runs here yet'];
  if (sample === null) return ['no-data', 'no sample of the data plane in the last 10 s'];
  const { ready, total } = sample.instances;
  if (ready === 0) return ['down', `0 of ${total} instances are ready`];
  const errors = sample.groups.stable?.errorRate ?? null;
  if (errors !== null && errors > 0.05)
    return ['degraded', `${(errors * 100).toFixed(1)} % of requests fail`];
  if (ready < total) return ['degraded', `${ready} of ${total} instances are ready`];
  return ['healthy', `${ready} instances are ready`];
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
