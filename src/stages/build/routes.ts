import { Readable } from 'node:stream';
import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import { RawAnswer, type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { logText } from './logs/follow.ts';
import { criticalPath } from './plan.ts';
import {
  type BuildRow,
  commitExists,
  insertBuild,
  listBuilds,
  readBuild,
  readSteps,
  requestCancel,
  type StepRow,
} from './store.ts';

export interface BuildRoutesDeps {
  database: Database;
  clock: Clock;
  /** Tells a worker that the build wants to be looked at. */
  wake(queue: 'build', id: string): Promise<unknown>;
}

const MAX_PAGE = 100;

const time = z.string().nullable();
const status = z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);
const step = z.object({
  name: z.string(),
  needs: z.array(z.string()),
  status: z.enum([
    'waiting',
    'running',
    'succeeded',
    'failed',
    'cached',
    'skipped',
    'cancelled',
    'timed-out',
  ]),
  cacheKey: z.string().nullable(),
  exitCode: z.number().nullable(),
  problem: z.string().nullable(),
  startedAt: time,
  finishedAt: time,
  durationMs: z.number().nullable(),
});
const summary = z.object({
  id: z.string(),
  releaseId: z.string().nullable(),
  service: z.string(),
  commit: z.string(),
  purpose: z.enum(['release', 'verify']),
  status,
  sandbox: z.string().nullable(),
  digest: z.string().nullable(),
  problem: z.string().nullable(),
  cacheHits: z.number(),
  cancelRequestedBy: z.string().nullable(),
  createdAt: z.string(),
  startedAt: time,
  finishedAt: time,
  durationMs: z.number().nullable(),
});
const detail = summary.extend({
  inputsDigest: z.string().nullable(),
  toolchain: z.record(z.string(), z.string()).nullable(),
  steps: z.array(step),
  criticalPath: z.object({ steps: z.array(z.string()), durationMs: z.number() }),
  report: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('Everything the finished build says about itself'),
});

const buildParams = z.object({ build: z.string().max(64) });
const serviceParams = z.object({ service: z.string().max(63) });

export function buildRoutes(deps: BuildRoutesDeps): Route[] {
  return [getBuild(deps), getLogs(deps), cancelBuild(deps), createBuild(deps), getBuilds(deps)];
}

function getBuild({ database, clock }: BuildRoutesDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/builds/:build',
    operationId: 'getBuild',
    summary: 'A build with its steps, cache hits, timings and critical path',
    tag: 'builds',
    access: { verb: 'read' },
    params: buildParams,
    response: detail,
    async handle(_, { params }) {
      const build = await mustRead(database, params.build);
      return describeBuild(build, await readSteps(database, build.id), clock.nowMs());
    },
  });
}

function getLogs({ database }: BuildRoutesDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/builds/:build/logs',
    operationId: 'getBuildLogs',
    summary: 'The log of one step, or of all steps in turn; follow=true stays until the build ends',
    tag: 'builds',
    access: { verb: 'read' },
    params: buildParams,
    query: z.object({ step: z.string().max(63).optional(), follow: z.stringbool().optional() }),
    produces: 'text/plain; charset=utf-8',
    async handle({ signal }, { params, query }) {
      const build = await mustRead(database, params.build);
      const steps = await readSteps(database, build.id);
      if (query.step !== undefined && !steps.some(({ name }) => name === query.step)) {
        const names = steps.map(({ name }) => name).join(', ') || 'none yet';
        throw new SlipwayError('not_found', `the build has no step ${query.step}`, {
          hint: `its steps: ${names}`,
        });
      }
      const lines = logText(database, build.id, query.step ?? null, query.follow ?? false, signal);
      // Logs are text, whatever bytes a step wrote: a browser must not guess another type.
      const headers = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
      return new RawAnswer('text/plain; charset=utf-8', Readable.from(lines), headers);
    },
  });
}

function cancelBuild({ database, clock, wake }: BuildRoutesDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/builds/:build/cancel',
    operationId: 'cancelBuild',
    summary: 'Ask a build to stop; its running steps get SIGTERM, then SIGKILL',
    tag: 'builds',
    access: { verb: 'release' },
    params: buildParams,
    status: 202,
    response: summary,
    async handle({ principal }, { params }) {
      const asked = await requestCancel(database, params.build, principal.actor);
      if (asked) {
        // A running build looks for this by itself; one in the queue is ended now.
        if (asked.status === 'queued') await wake('build', asked.id);
        return summarize(asked, clock.nowMs());
      }
      const build = await mustRead(database, params.build);
      throw new SlipwayError('invalid_state', `build ${build.id} has ${build.status} already`);
    },
  });
}

function createBuild({ database, clock, wake }: BuildRoutesDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/services/:service/builds',
    operationId: 'createBuild',
    summary: 'Build a commit twice and say how far the results agree',
    tag: 'builds',
    access: { verb: 'release' },
    params: serviceParams,
    body: z.object({
      commit: z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/, 'a full commit id in lower-case hex'),
      purpose: z.literal('verify'),
    }),
    status: 201,
    response: summary,
    async handle(_, { params, body }) {
      if (!(await commitExists(database, params.service, body.commit))) {
        throw new SlipwayError('commit_not_found', `${params.service} has no commit ${body.commit}`);
      }
      const id = newId('bld', clock.nowMs(), clock.random);
      const { service } = params;
      const { commit, purpose } = body;
      await insertBuild(database, { id, releaseId: null, service, commit, purpose, atMs: clock.nowMs() });
      await wake('build', id);
      return summarize(await mustRead(database, id), clock.nowMs());
    },
  });
}

function getBuilds({ database, clock }: BuildRoutesDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/services/:service/builds',
    operationId: 'listBuilds',
    summary: 'Builds of a service, newest first',
    tag: 'builds',
    access: { verb: 'read' },
    params: serviceParams,
    query: z.object({
      limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(20),
      before: z.string().max(64).optional().describe('Id of the last build of the page before'),
    }),
    response: z.object({ builds: z.array(summary), next: z.string().nullable() }),
    async handle(_, { params, query }) {
      const rows = await listBuilds(database, params.service, query.limit + 1, query.before ?? null);
      const page = rows.slice(0, query.limit);
      const next = rows.length > query.limit ? (page.at(-1)?.id ?? null) : null;
      return { builds: page.map((row) => summarize(row, clock.nowMs())), next };
    },
  });
}

async function mustRead(database: Database, id: string): Promise<BuildRow> {
  const build = await readBuild(database, id);
  if (!build) throw new SlipwayError('not_found', `there is no build ${id.slice(0, 64)}`);
  return build;
}

function summarize(row: BuildRow, nowMs: number): z.infer<typeof summary> {
  return {
    id: row.id,
    releaseId: row.release_id,
    service: row.service,
    commit: row.commit_sha,
    purpose: row.purpose,
    status: row.status,
    sandbox: row.sandbox,
    digest: row.digest,
    problem: row.problem,
    cacheHits: row.cache_hits,
    cancelRequestedBy: row.cancel_requested_by,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
    durationMs: duration(row.started_at, row.finished_at, nowMs),
  };
}

function describeBuild(row: BuildRow, steps: readonly StepRow[], nowMs: number): z.infer<typeof detail> {
  const described = steps.map((entry) => ({
    name: entry.name,
    needs: entry.needs,
    status: entry.status,
    cacheKey: entry.cache_key,
    exitCode: entry.exit_code,
    problem: entry.problem,
    startedAt: entry.started_at?.toISOString() ?? null,
    finishedAt: entry.finished_at?.toISOString() ?? null,
    durationMs: duration(entry.started_at, entry.finished_at, nowMs),
  }));
  const durations = Object.fromEntries(described.map(({ name, durationMs }) => [name, durationMs ?? 0]));
  return {
    ...summarize(row, nowMs),
    inputsDigest: row.inputs_digest,
    toolchain: row.toolchain,
    steps: described,
    criticalPath: criticalPath(steps, durations),
    report: row.report as Record<string, unknown> | null,
  };
}

/** Up to now while it runs; null before it starts. */
function duration(from: Date | null, to: Date | null, nowMs: number): number | null {
  return from === null ? null : (to?.getTime() ?? nowMs) - from.getTime();
}
