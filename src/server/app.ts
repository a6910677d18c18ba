import { randomBytes } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import type { Clock } from '../platform/clock.ts';
import {
  type Principal,
  RawAnswer,
  type RequestContext,
  type Route,
  type Verb,
} from '../platform/http/route.ts';
import type { Logger } from '../platform/log.ts';
import type { Database } from '../platform/postgres/database.ts';
import type { Scope } from '../support/access/authorize.ts';
import { claimKey, releaseKey, storeAnswer } from './idempotency.ts';
import { checkOrigin, SECURITY_HEADERS } from './origin.ts';
import { toProblem } from './problem.ts';
import { validate } from './validate.ts';

export interface AppDeps {
  database: Database;
  clock: Clock;
  log: Logger;
  routes: readonly Route[];
  /** Host names this server answers to, lower case, without port. */
  allowedHosts: ReadonlySet<string>;
  /** Who calls; null when no credential is given or it does not hold. May throw to slow down guessing. */
  authenticate(credential: {
    authorization: string | undefined;
    cookie: string | undefined;
    source: string;
  }): Promise<Principal | null>;
  /** What a request is about, by the parameters of its path. */
  scopeOf(params: unknown): Promise<Scope>;
  authorize(principal: Principal, verb: Verb, scope: Scope): Promise<{ allowed: boolean; reason: string }>;
}

const DEFAULT_BODY_LIMIT = 1_048_576;
const NOBODY: Principal = { actor: 'anonymous', roles: [] };

/** The API as a fastify instance; registry, UI and streams are registered beside it. */
export function createApp(deps: AppDeps): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: DEFAULT_BODY_LIMIT,
    genReqId: () => newId('req', deps.clock.nowMs(), randomBytes),
    routerOptions: { maxParamLength: 512, caseSensitive: true },
    forceCloseConnections: true,
    requestTimeout: 0,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseJson);
  // Forges may send their hooks as forms; only the bytes matter, for the signature over them.
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (!request.url.startsWith('/v1/hooks/'))
        return done(new SlipwayError('usage', 'this endpoint takes application/json'));
      rawBodies.set(request, body as Buffer);
      done(null, undefined);
    },
  );
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    checkOrigin({ host: request.headers.host, origin: request.headers.origin }, deps.allowedHosts);
    reply.headers(SECURITY_HEADERS);
  });
  app.setErrorHandler((error, request, reply) => sendProblem(deps, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      deps,
      new SlipwayError('not_found', `no endpoint ${request.method} ${request.url.slice(0, 200)}`),
      request,
      reply,
    ),
  );
  for (const route of deps.routes) mount(app, deps, route);
  return app;
}

const rawBodies = new WeakMap<FastifyRequest, Buffer>();

function parseJson(
  request: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  rawBodies.set(request, bytes);
  try {
    done(null, bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8')));
  } catch {
    done(new SlipwayError('usage', 'the body is not JSON'));
  }
}

export function sendProblem(
  deps: Pick<AppDeps, 'log'>,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const problem = toProblem(error, request.id);
  if (problem.code === 'internal' || !isSlipwayError(error))
    deps.log.error(
      { requestId: request.id, method: request.method, path: request.url.split('?')[0], error },
      'request failed',
    );
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="slipway"');
  return reply
    .code(problem.status)
    .header('content-type', 'application/problem+json')
    .send(JSON.stringify(problem));
}

function mount(app: FastifyInstance, deps: AppDeps, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    bodyLimit: route.bodyLimit ?? DEFAULT_BODY_LIMIT,
    async handler(request, reply) {
      const principal = await admit(deps, route, request);
      const input = {
        params: validate('params', route.params, request.params),
        query: validate('query', route.query, request.query),
        body: validate('body', route.body, request.body),
      };
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const context: RequestContext = {
        principal,
        requestId: request.id,
        source: request.ip,
        nowMs: deps.clock.nowMs(),
        signal: gone.signal,
        headers: request.headers,
        rawBody: rawBodies.get(request) ?? null,
      };
      const answer = await answerOnce(deps, route, request, principal, () => route.handle(context, input));
      return send(reply, route, answer);
    },
  });
}

async function admit(deps: AppDeps, route: Route, request: FastifyRequest): Promise<Principal> {
  if (route.access === 'open') return NOBODY;
  const principal = await deps.authenticate({
    authorization: request.headers.authorization,
    cookie: request.headers.cookie,
    source: request.ip,
  });
  if (principal === null) {
    throw new SlipwayError('unauthenticated', 'this needs a token', {
      hint: 'set SLIPWAY_TOKEN, or use the admin token of the data directory',
    });
  }
  const { verb } = route.access;
  const { allowed, reason } = await deps.authorize(principal, verb, await deps.scopeOf(request.params));
  if (allowed) return principal;
  // Of a thing named by its id the answer must not tell whether it exists, nor whose it is.
  const named = (request.params as { service?: string } | undefined)?.service !== undefined;
  const byId = !named && Object.keys(request.params ?? {}).length > 0;
  throw new SlipwayError('forbidden', byId ? `${principal.actor} may not "${verb}" this` : reason);
}

/** Writes with an Idempotency-Key happen once; the stored answer is given again. */
async function answerOnce(
  deps: AppDeps,
  route: Route,
  request: FastifyRequest,
  principal: Principal,
  handle: () => Promise<unknown>,
): Promise<unknown> {
  const key = request.headers['idempotency-key'];
  if (route.method === 'GET' || typeof key !== 'string' || route.access === 'open') return handle();
  const { actor } = principal;
  const stored = await claimKey(
    deps.database,
    actor,
    key,
    { method: request.method, url: request.url, body: request.body },
    deps.clock.nowMs(),
  );
  if (stored) return stored.response;
  try {
    const answer = await handle();
    if (!(answer instanceof RawAnswer))
      await storeAnswer(deps.database, actor, key, { status: route.status ?? 200, response: answer });
    return answer;
  } catch (error) {
    await releaseKey(deps.database, actor, key);
    throw error;
  }
}

function send(reply: FastifyReply, route: Route, answer: unknown): FastifyReply {
  if (answer instanceof RawAnswer)
    return reply
      .code(route.status ?? 200)
      .headers(answer.headers)
      .header('content-type', answer.contentType)
      .send(answer.body);
  return reply
    .code(route.status ?? 200)
    .header('content-type', 'application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(answer ?? null));
}
