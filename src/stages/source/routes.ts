import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import { type RequestContext, type Route, route } from '../../platform/http/route.ts';
import type { SourceDeps } from './deps.ts';
import { hookRoutes } from './hooks.ts';
import { platformRoutes } from './platform-routes.ts';
import { registerService } from './register.ts';
import { FORGES } from './signature.ts';
import { type CommitRow, findService, listCommits, listServices, type ServiceRow } from './store.ts';

const serviceName = z.string().regex(NAME_PATTERN, { error: 'expected the name of a service' });
const serviceParams = z.object({ service: serviceName });

const service = z.object({
  name: z.string(),
  repository: z.string(),
  branch: z.string(),
  createdAt: z.string(),
  polledAt: z.string().nullable().describe('When the repository was last looked at'),
  problem: z.string().nullable().describe('Why the last look failed'),
});

const commit = z.object({
  sha: z.string(),
  parents: z.array(z.string()),
  author: z.string(),
  authorEmail: z.string(),
  committedAt: z.string(),
  message: z.string(),
  signature: z.enum(['none', 'good', 'bad', 'unknown-key']),
  ref: z.string(),
  seenAt: z.string(),
  release: z.object({ id: z.string(), number: z.int(), status: z.string() }).nullable(),
});

const registration = z.strictObject({
  name: serviceName.optional().describe('The name slipway.yaml must have; leave it out to take that one'),
  repository: z.string().max(2048).describe('https, ssh or file address of the git repository, or a path'),
  branch: z.string().max(250).default('main').describe('The trunk: its new commits become releases'),
});

const registered = service.extend({
  created: z.boolean(),
  hook: z
    .object({ secret: z.string().nullable().describe('Shown once'), paths: z.record(z.string(), z.string()) })
    .describe('For the webhook of the forge'),
});

export function sourceRoutes(deps: SourceDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/services',
      operationId: 'listServices',
      summary: 'All services, with the last look at their repositories',
      tag: 'source',
      access: { verb: 'read' },
      response: z.object({ services: z.array(service) }),
      handle: async () => ({ services: (await listServices(deps.database)).map(present) }),
    }),
    route({
      method: 'POST',
      path: '/v1/services',
      operationId: 'registerService',
      summary: 'Register the service that the head of a branch describes in slipway.yaml',
      tag: 'source',
      access: { verb: 'configure' },
      body: registration,
      response: registered,
      status: 201,
      handle: (context, { body }) => register(deps, context, body),
    }),
    route({
      method: 'GET',
      path: '/v1/services/:service',
      operationId: 'getService',
      summary: 'One service',
      tag: 'source',
      access: { verb: 'read' },
      params: serviceParams,
      response: service,
      handle: async (_, { params }) => present(await require(deps, params.service)),
    }),
    route({
      method: 'GET',
      path: '/v1/services/:service/commits',
      operationId: 'listCommits',
      summary: 'Commits of a service, the latest seen first',
      tag: 'source',
      access: { verb: 'read' },
      params: serviceParams,
      query: z.object({
        limit: z.coerce.number().int().min(1).max(200).default(50),
        before: z
          .string()
          .regex(/^[0-9a-f]{40,64}$/)
          .optional()
          .describe('The last commit of the page before'),
      }),
      response: z.object({ commits: z.array(commit) }),
      async handle(_, { params, query }) {
        await require(deps, params.service);
        return { commits: (await listCommits(deps.database, params.service, query)).map(presentCommit) };
      },
    }),
    ...hookRoutes(deps),
    ...platformRoutes(deps),
  ];
}

async function require(deps: SourceDeps, name: string): Promise<ServiceRow> {
  const row = await findService(deps.database, name);
  if (!row) throw new SlipwayError('not_found', `there is no service "${name}"`);
  return row;
}

async function register(deps: SourceDeps, context: RequestContext, body: z.infer<typeof registration>) {
  const {
    service: row,
    hookSecret,
    created,
  } = await registerService(deps, { ...body, actor: context.principal.actor });
  const paths = Object.fromEntries(FORGES.map((forge) => [forge, `/v1/hooks/${forge}/${row.name}`]));
  return { ...present(row), created, hook: { secret: hookSecret, paths } };
}

function present(row: ServiceRow): z.infer<typeof service> {
  return {
    name: row.name,
    repository: row.repositoryUrl,
    branch: row.branch,
    createdAt: new Date(row.createdAtMs).toISOString(),
    polledAt: row.polledAtMs === null ? null : new Date(row.polledAtMs).toISOString(),
    problem: row.pollProblem,
  };
}

function presentCommit({ committedAtMs, seenAtMs, ...row }: CommitRow): z.infer<typeof commit> {
  return {
    ...row,
    committedAt: new Date(committedAtMs).toISOString(),
    seenAt: new Date(seenAtMs).toISOString(),
  };
}
