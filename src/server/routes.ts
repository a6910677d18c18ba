import { z } from 'zod';
import { builderId, type Machine } from '../flow/machine.ts';
import { ledgerHeads } from '../flow/reconcilers.ts';
import { createRelease } from '../flow/releases.ts';
import {
  evidenceOf,
  instanceLogs,
  isProduction,
  promoteDeps,
  releaseCreation,
  sourceDeps,
} from '../flow/wire.ts';
import type { Digest } from '../kernel/digest.ts';
import { scrub } from '../platform/blobs/verify.ts';
import { type RequestContext, type Route, route } from '../platform/http/route.ts';
import { wake } from '../platform/queue/queue.ts';
import { analyzeRoutes } from '../stages/analyze/routes.ts';
import { readEvidence } from '../stages/analyze/store.ts';
import { buildRoutes } from '../stages/build/routes.ts';
import { gateRoutes } from '../stages/gate/routes.ts';
import { artifactRoutes } from '../stages/observe/artifacts.ts';
import { cdEventsRoute } from '../stages/observe/cdevents.ts';
import { matrixRoute } from '../stages/observe/matrix.ts';
import { metricsRoute } from '../stages/observe/metrics.ts';
import { releaseRoutes } from '../stages/observe/releases.ts';
import { whyRoute } from '../stages/observe/why.ts';
import { promoteRoutes } from '../stages/promote/routes.ts';
import { rollbackTargets } from '../stages/rollout/requests.ts';
import { readRollout, rolloutRoutes } from '../stages/rollout/routes.ts';
import { ensureCommit } from '../stages/source/apply.ts';
import { sourceRoutes } from '../stages/source/routes.ts';
import type { Authenticator } from '../support/access/authenticate.ts';
import { authorize } from '../support/access/authorize.ts';
import { accessRoutes } from '../support/access/routes.ts';
import { SESSION_COOKIE } from '../support/access/token.ts';
import { append } from '../support/ledger/append.ts';
import { readEntries } from '../support/ledger/read.ts';
import { ledgerRoutes } from '../support/ledger/routes.ts';
import { healthRoutes } from './health.ts';
import { sessionRoutes } from './session.ts';
import { streamRoute } from './stream.ts';

/** Every endpoint of the API, as values: what is not in this list does not exist. */
export function apiRoutes(machine: Machine, authenticator: Authenticator): Route[] {
  const { database, clock, keyring, ledger, blobs } = machine;
  const platform = async () => (await machine.platform()).config;
  const sources = sourceDeps(machine);
  const promotions = promoteDeps(machine);
  const matrix = matrixRoute({ database, platform });
  const ledgerKey = keyring.publicKeys().find((key) => key.purpose === 'ledger');
  return [
    ...healthRoutes(machine),
    ...accessRoutes({ database, clock, authenticator, access: machine.access, append }),
    ...sessionRoutes({
      cookie: SESSION_COOKIE,
      authenticate: (token, source) =>
        authenticator.authenticate({ authorization: `Bearer ${token}`, source }),
    }),
    ...sourceRoutes(sources),
    releaseRoute(machine),
    ...releaseRoutes(database),
    ...buildRoutes({ database, clock, wake: (queue, id) => wake(database, queue, id) }),
    ...artifactRoutes({
      database,
      collectEvidence: (repository, digest) => evidenceOf(machine, repository, digest),
    }),
    ...gateRoutes({ database, platform }),
    ...promoteRoutes({
      ...promotions,
      rollbackTargets: (service, environment) => rollbackTargets(database, service, environment),
      isMember: (config, context, groups) => isMember(config, context, groups),
    }),
    ...rolloutRoutes({
      database,
      clock,
      wakeRollouts: async () => {},
      isProduction: (environment) => isProduction(machine, environment),
      logs: (service, environment, instance, tail) =>
        instanceLogs(machine, service, environment, instance, tail),
    }),
    ...analyzeRoutes({ database }),
    matrix,
    whyRoute({ database }),
    cdEventsRoute({
      entries: (from, limit) => readEntries(database, { from, limit }),
      source: builderId(machine),
    }),
    metricsRoute(database),
    ...ledgerRoutes({
      database,
      log: ledger,
      logKeyValidFromMs: ledgerKey?.validFromMs ?? 0,
      keys: () => keyring.publicKeys(),
      rememberedHead: () => ledgerHeads(machine.data).load(),
      verifyArtifacts: async () =>
        (await scrub(blobs)).map((digest: Digest) => ({
          digest,
          problem: 'the stored bytes do not have this digest',
        })),
    }),
    streamRoute({
      database,
      entries: async (from, limit) =>
        (await readEntries(database, { from, limit })).map((entry) => ({ ...entry, leafHash: undefined })),
      ledgerSize: async () =>
        (
          await database.query<{ size: number }>(
            'select coalesce(max(size), 0) as size from ledger_checkpoints',
          )
        )[0]?.size ?? 0,
      rollout: (id) => readRollout(database, id),
      evidenceAfter: async (id, n) =>
        (await readEvidence(database, id, n))?.points.map((point) => point) ?? [],
      matrix: (context) => matrix.handle(context, { params: {}, query: {}, body: undefined }),
      async stillAllowed(context) {
        const principal = await authenticator.authenticate({
          authorization: one(context.headers.authorization),
          cookie: one(context.headers.cookie),
          source: 'stream',
        });
        if (principal === null) return null;
        return authorize(await machine.access(), principal, 'read', {}).allowed ? principal : null;
      },
    }),
  ];
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Approvers are named by role or by actor. */
function isMember(
  config: { access: { grants: readonly { subject: string; role: string }[] } },
  context: RequestContext,
  groups: readonly string[],
): boolean {
  const { actor, roles } = context.principal;
  if (roles.includes('admin') || groups.includes(actor)) return true;
  const granted = config.access.grants.filter((grant) => grant.subject === actor).map((grant) => grant.role);
  return [...roles, ...granted].some((role) => groups.includes(role));
}

function releaseRoute(machine: Machine): Route {
  const sources = sourceDeps(machine);
  return route({
    method: 'POST',
    path: '/v1/services/:service/releases',
    operationId: 'createRelease',
    summary: 'Release a commit: build it and carry it through the environments',
    tag: 'releases',
    access: { verb: 'release' },
    params: z.object({ service: z.string().max(63) }),
    body: z.object({ commit: z.string().min(1).max(200).describe('A commit id, branch or tag') }),
    response: z.object({ id: z.string(), commit: z.string() }),
    status: 201,
    async handle(context, { params, body }) {
      const sha = await ensureCommit(sources, params.service, body.commit);
      const id = await machine.database.transaction((tx) =>
        createRelease(releaseCreation(machine), tx, {
          service: params.service,
          sha,
          actor: context.principal.actor,
          atMs: context.nowMs,
        }),
      );
      return { id, commit: sha };
    },
  });
}
