import { z } from 'zod';
import { type Digest, isDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { RolloutPhase, RolloutRequest, RolloutSpec, RolloutState } from '../../kernel/rollout.ts';
import type { Clock } from '../../platform/clock.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { requestRollout, rollbackTargets } from './requests.ts';

export interface RolloutRouteDeps {
  database: Database;
  clock: Clock;
  /** Makes the worker look at due rollouts now. */
  wakeRollouts(): Promise<void>;
  /** Whether typed confirmation is asked for in the environment. */
  isProduction(environment: string): Promise<boolean>;
  logs(service: string, environment: string, instance: string, tail: number): Promise<string>;
}

const weights = z.object({ stable: z.number(), baseline: z.number(), canary: z.number() });

const rolloutView = z.object({
  id: z.string(),
  service: z.string(),
  environment: z.string(),
  kind: z.enum(['planned', 'hotfix', 'rollback']),
  digest: z.string(),
  previousDigest: z.string().nullable(),
  releaseNumber: z.number().nullable(),
  previousReleaseNumber: z.number().nullable(),
  commit: z.string().nullable(),
  promotionId: z.string().nullable(),
  phase: z.string(),
  stepIndex: z.number(),
  steps: z.array(
    z.object({
      weight: z.number(),
      minimumS: z.number(),
      requirePass: z.boolean(),
      manual: z.boolean(),
      deadlineS: z.number(),
    }),
  ),
  strategy: z.string(),
  instances: z.number(),
  weights,
  paused: z.object({ at: z.string(), by: z.string(), reason: z.string() }).nullable(),
  turnedBack: z
    .object({ at: z.string(), by: z.string(), reason: z.string(), terminal: z.string() })
    .nullable(),
  reasons: z.array(z.string()),
  verdict: z.enum(['pass', 'fail', 'inconclusive', 'no-data']).nullable(),
  verdictReason: z.string().nullable(),
  generation: z.number(),
  createdAt: z.string(),
  updatedAt: z.string(),
  exposedAt: z.string().nullable(),
  zeroTrafficAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  outcome: z.string().nullable(),
  listenPort: z.number().nullable(),
});

export type RolloutView = z.infer<typeof rolloutView>;

interface Row {
  id: string;
  service: string;
  environment: string;
  kind: 'planned' | 'hotfix' | 'rollback';
  digest: Digest;
  previous_digest: Digest | null;
  release_number: number | null;
  previous_number: number | null;
  commit_sha: string | null;
  promotion_id: string | null;
  spec: RolloutSpec;
  state: RolloutState;
  phase: RolloutPhase;
  reasons: string[];
  verdict: RolloutView['verdict'];
  verdict_reason: string | null;
  generation: number;
  created_at: Date;
  updated_at: Date;
  ended_at: Date | null;
  outcome: string | null;
  listen_port: number | null;
}

const SELECT = `select r.*, l.number as release_number, l.commit_sha, n.listen_port, a.verdict, a.reason as verdict_reason,
    (select p.number from releases p where p.digest = r.previous_digest and p.service = r.service order by p.number desc limit 1) as previous_number
  from rollouts r left join releases l on l.id = r.release_id left join analyses a on a.rollout_id = r.id
  join lanes n on n.service = r.service and n.environment = r.environment`;

export async function readRollout(database: Database, id: string): Promise<RolloutView> {
  const [row] = await database.query<Row>(`${SELECT} where r.id = $1`, [id]);
  if (row === undefined) throw new SlipwayError('not_found', `there is no rollout ${id}`);
  return toView(row);
}

function toView(row: Row): RolloutView {
  const { state, spec } = row;
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: row.id,
    service: row.service,
    environment: row.environment,
    kind: row.kind,
    digest: row.digest,
    previousDigest: row.previous_digest,
    releaseNumber: row.release_number,
    previousReleaseNumber: row.previous_number,
    commit: row.commit_sha,
    promotionId: row.promotion_id,
    phase: row.phase,
    stepIndex: state.stepIndex,
    steps: [...spec.steps],
    strategy: spec.strategy,
    instances: spec.instances,
    weights: { ...state.weights },
    paused: state.paused && {
      at: new Date(state.paused.atMs).toISOString(),
      by: state.paused.by,
      reason: state.paused.reason,
    },
    turnedBack: state.turnedBack && {
      at: new Date(state.turnedBack.atMs).toISOString(),
      by: state.turnedBack.by,
      reason: state.turnedBack.reason,
      terminal: state.turnedBack.terminal,
    },
    reasons: row.reasons,
    verdict: row.verdict,
    verdictReason: row.verdict_reason,
    generation: row.generation,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    exposedAt: iso(state.exposedAtMs),
    zeroTrafficAt: iso(state.zeroTrafficAtMs),
    endedAt: row.ended_at?.toISOString() ?? null,
    outcome: row.outcome,
    listenPort: row.listen_port,
  };
}

const rolloutParams = z.object({ rollout: z.string().max(64) });
const laneParams = z.object({ service: z.string().max(63), environment: z.string().max(63) });

export function rolloutRoutes(deps: RolloutRouteDeps): Route[] {
  return [
    listRollouts(deps),
    getRollout(deps),
    ...(['pause', 'resume', 'abort'] as const).map((kind) => requestRoute(deps, kind)),
    rollbackPlan(deps),
    instanceLogs(deps),
  ];
}

function listRollouts(deps: RolloutRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/rollouts',
    operationId: 'listRollouts',
    summary: 'Rollouts, newest first',
    tag: 'rollouts',
    access: { verb: 'read' },
    query: z.object({
      service: z.string().max(63).optional(),
      environment: z.string().max(63).optional(),
      active: z.enum(['true', 'false']).optional(),
      digest: z.string().refine(isDigest, 'a sha256 or sha512 digest').optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
    }),
    response: z.object({ rollouts: z.array(rolloutView) }),
    async handle(_context, { query }) {
      const rows = await deps.database.query<Row>(
        `${SELECT} where ($1::text is null or r.service = $1) and ($2::text is null or r.environment = $2)
           and ($3::boolean is null or (r.ended_at is null) = $3) and ($4::text is null or r.digest = $4)
         order by r.created_at desc limit $5`,
        [
          query.service ?? null,
          query.environment ?? null,
          query.active === undefined ? null : query.active === 'true',
          query.digest ?? null,
          query.limit,
        ],
      );
      return { rollouts: rows.map(toView) };
    },
  });
}

function getRollout(deps: RolloutRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/rollouts/:rollout',
    operationId: 'getRollout',
    summary: 'One rollout as it stands',
    tag: 'rollouts',
    access: { verb: 'read' },
    params: rolloutParams,
    response: rolloutView,
    handle: (_context, { params }) => readRollout(deps.database, params.rollout),
  });
}

const SUMMARY = {
  pause: 'Hold the rollout where it is',
  resume: 'Go on after a pause or a manual step',
  abort: 'Turn back to the old version',
};

function requestRoute(deps: RolloutRouteDeps, kind: RolloutRequest['kind']): Route {
  return route({
    method: 'POST',
    path: `/v1/rollouts/:rollout/${kind}`,
    operationId: `${kind}Rollout`,
    summary: SUMMARY[kind],
    tag: 'rollouts',
    access: { verb: 'operate' },
    params: rolloutParams,
    body: z.object({ reason: z.string().min(1).max(1_000), confirm: z.string().max(63).optional() }),
    response: rolloutView,
    async handle(context, { params, body }) {
      const rollout = await readRollout(deps.database, params.rollout);
      if (kind === 'abort') await confirm(deps, rollout.environment, body.confirm, 'abort the rollout');
      await requestRollout(deps.database, params.rollout, toRequest(context, kind, body.reason));
      await deps.wakeRollouts();
      return readRollout(deps.database, params.rollout);
    },
  });
}

function toRequest(context: RequestContext, kind: RolloutRequest['kind'], reason: string): RolloutRequest {
  return { kind, actor: context.principal.actor, reason, atMs: context.nowMs };
}

async function confirm(
  deps: RolloutRouteDeps,
  environment: string,
  typed: string | undefined,
  what: string,
): Promise<void> {
  if (!(await deps.isProduction(environment)) || typed === environment) return;
  throw new SlipwayError(
    'confirmation_required',
    `to ${what} in ${environment}, type the environment's name`,
    {
      hint: `send "confirm": "${environment}" (CLI: --confirm=${environment})`,
    },
  );
}

function rollbackPlan(deps: RolloutRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/services/:service/environments/:environment/rollback-targets',
    operationId: 'rollbackTargets',
    summary: 'Versions a rollback could return to, safe or unsafe and why',
    tag: 'rollouts',
    access: { verb: 'read' },
    params: laneParams,
    response: z.object({
      targets: z.array(
        z.object({
          digest: z.string(),
          releaseId: z.string(),
          releaseNumber: z.number(),
          commit: z.string(),
          healthyAt: z.string(),
          safe: z.boolean(),
          reason: z.string(),
        }),
      ),
    }),
    async handle(_context, { params }) {
      const targets = await rollbackTargets(deps.database, params.service, params.environment);
      return {
        targets: targets.map(({ digest, releaseId, releaseNumber, commit, healthyAt, safe, reason }) => ({
          digest,
          releaseId,
          releaseNumber,
          commit,
          healthyAt: healthyAt.toISOString(),
          safe,
          reason,
        })),
      };
    },
  });
}

function instanceLogs(deps: RolloutRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/services/:service/environments/:environment/instances/:instance/logs',
    operationId: 'instanceLogs',
    summary: 'The last lines an instance wrote',
    tag: 'rollouts',
    access: { verb: 'read' },
    params: laneParams.extend({ instance: z.string().max(80) }),
    query: z.object({ tail: z.coerce.number().int().min(1).max(5_000).default(200) }),
    response: z.object({ instance: z.string(), text: z.string() }),
    async handle(_context, { params, query }) {
      return {
        instance: params.instance,
        text: await deps.logs(params.service, params.environment, params.instance, query.tail),
      };
    },
  });
}
