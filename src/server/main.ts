import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Machine } from '../flow/machine.ts';
import type { AccessConfig } from '../kernel/config.ts';
import type { Principal } from '../platform/http/route.ts';
import type { RegistryAction } from '../stages/registry/plan.ts';
import { registerRegistry } from '../stages/registry/register.ts';
import { ensureAdminToken } from '../support/access/admin.ts';
import { createAuthenticator } from '../support/access/authenticate.ts';
import { authorize } from '../support/access/authorize.ts';
import { append } from '../support/ledger/append.ts';
import { createApp } from './app.ts';
import { openApi } from './openapi.ts';
import { apiRoutes } from './routes.ts';
import { scopeOf } from './scope.ts';
import { serveWeb } from './web.ts';

export const VERSION = '0.1.0';

export interface Server {
  app: FastifyInstance;
  stop(): Promise<void>;
}

/** API, registry and web UI on one port. */
export async function startServer(machine: Machine): Promise<Server> {
  const { database, clock, log, runtime, data, blobs } = machine;
  await ensureAdminToken(database, data.adminTokenFile, clock, append);
  const authenticator = createAuthenticator(database, clock);
  const routes = apiRoutes(machine, authenticator);
  const app = createApp({
    database,
    clock,
    log,
    routes,
    allowedHosts: allowedHosts(runtime.server.host),
    authenticate: (credential) => authenticator.authenticate(credential),
    scopeOf: (params) => scopeOf(database, params),
    authorize: async (principal, verb, scope) => authorize(await machine.access(), principal, verb, scope),
  });
  let access: AccessConfig | null = null;
  await registerRegistry(app, {
    database,
    blobs,
    clock,
    log,
    append,
    tokenKey: Buffer.from(runtime.controlToken).subarray(0, 32),
    async authenticate(header, source) {
      access = await machine.access();
      return (
        (await systemPrincipal(runtime.controlToken, header)) ??
        authenticator.authenticate({ authorization: header, source })
      );
    },
    allowed: (principal, action, repository) =>
      access !== null && registryAllows(access, principal, action, repository),
  });
  const document = JSON.stringify(openApi(routes, VERSION));
  app.get('/v1/openapi.json', async (_request, reply) =>
    reply.header('content-type', 'application/json').send(document),
  );
  await serveWeb(app);
  await app.listen({ host: runtime.server.host, port: runtime.server.port });
  return { app, stop: () => app.close() };
}

/** Worker and host agent reach the registry with the control token: it opens the registry and nothing else. */
async function systemPrincipal(controlToken: string, header: string | undefined): Promise<Principal | null> {
  const given = Buffer.from(header?.replace(/^Bearer /, '') ?? '');
  const wanted = Buffer.from(controlToken);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
  return { actor: 'system:worker', roles: ['system'] };
}

const REGISTRY_VERBS = {
  pull: 'read',
  create: 'release',
  attach: 'release',
  overwrite: 'administer',
  delete: 'administer',
} as const satisfies Record<RegistryAction, string>;

/** A repository belongs to the service of its first path segment. */
function registryAllows(
  access: AccessConfig,
  principal: Principal,
  action: RegistryAction,
  repository: string,
): boolean {
  if (principal.roles.includes('system')) return action !== 'delete' && action !== 'overwrite';
  const service = repository.split('/')[0] ?? repository;
  return authorize(access, principal, REGISTRY_VERBS[action], { service }).allowed;
}

function allowedHosts(host: string): ReadonlySet<string> {
  const configured = (process.env.SLIPWAY_ALLOWED_HOSTS ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase());
  return new Set(
    ['127.0.0.1', 'localhost', '[::1]', host.toLowerCase(), ...configured].filter(
      (name) => name !== '' && name !== '0.0.0.0',
    ),
  );
}
