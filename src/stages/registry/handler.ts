import type { IncomingMessage, ServerResponse } from 'node:http';
import { isSlipwayError } from '../../kernel/errors.ts';
import { baseUrl, challenge } from './auth/challenge.ts';
import { createIdentifier } from './auth/identify.ts';
import { createTokenSealer } from './auth/token.ts';
import { createManifestCache } from './cache.ts';
import type { RegistryDeps } from './deps.ts';
import { errorAnswer, registryError } from './errors.ts';
import { type Exchange, replyJson, type Services, sourceOf, unauthorized } from './exchange.ts';
import { tokenScope } from './plan.ts';
import { getBlob, removeBlob } from './routes/blobs.ts';
import { getManifest, putManifest, removeManifest } from './routes/manifests.ts';
import { getReferrers } from './routes/referrers.ts';
import { getCatalog, getTags } from './routes/tags.ts';
import { issueToken } from './routes/token.ts';
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from './routes/uploads.ts';
import { parseTarget, type Target } from './target.ts';

/** After an early answer the rest of a body is read and dropped for so long, so that the client sees the answer. */
const LINGER_MS = 10_000;

export type RegistryHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Answers every request under `/v2`; bodies stream through, nothing is thrown. */
export function createRegistryHandler(deps: RegistryDeps): RegistryHandler {
  const tokens = createTokenSealer(deps.tokenKey ?? deps.clock.random(32), deps.clock.random);
  const services: Services = {
    deps,
    tokens,
    cache: createManifestCache(),
    identifier: createIdentifier(deps, tokens),
  };
  return async (request, response) => {
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    // What a client pushed is never a page, whatever its media type says.
    response.setHeader('Content-Security-Policy', "default-src 'none'; sandbox");
    response.once('finish', () => endUnreadBody(request));
    try {
      await answer(services, request, response);
    } catch (error) {
      fail(services, request, response, error);
    }
  };
}

async function answer(services: Services, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  const target = parseTarget(mark < 0 ? url : url.slice(0, mark));
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  if (target.kind === 'token') return issueToken(services, request, response);
  const { authorization } = request.headers;
  const credential = services.identifier.credential(authorization);
  const principal = credential && (await services.identifier.principal(credential, sourceOf(request)));
  if (!credential || !principal) throw unauthorized(scopeOf(target, request.method));
  const nowMs = services.deps.clock.nowMs();
  await dispatch({ ...services, request, response, query, credential, principal, nowMs }, target);
}

function dispatch(exchange: Exchange, target: Target): Promise<void> | void {
  const method = exchange.request.method === 'HEAD' ? 'GET' : (exchange.request.method ?? '');
  switch (target.kind) {
    case 'base':
      if (method !== 'GET') throw wrongMethod(exchange, 'GET, HEAD');
      // Asked even where anonymous callers may read: clients learn here how to log in.
      if (exchange.request.headers.authorization === undefined) throw unauthorized(null);
      return replyJson(exchange, 200, {});
    case 'catalog':
      if (method === 'GET') return getCatalog(exchange);
      throw wrongMethod(exchange, 'GET, HEAD');
    case 'blob':
      if (method === 'GET') return getBlob(exchange, target);
      if (method === 'DELETE') return removeBlob(exchange, target);
      throw wrongMethod(exchange, 'GET, HEAD, DELETE');
    case 'uploads':
      if (method === 'POST') return startUpload(exchange, target);
      throw wrongMethod(exchange, 'POST');
    case 'upload':
      if (method === 'PATCH') return appendUpload(exchange, target);
      if (method === 'PUT') return finishUpload(exchange, target);
      if (method === 'GET') return uploadStatus(exchange, target);
      if (method === 'DELETE') return cancelUpload(exchange, target);
      throw wrongMethod(exchange, 'GET, PATCH, PUT, DELETE');
    case 'manifest':
      if (method === 'GET') return getManifest(exchange, target);
      if (method === 'PUT') return putManifest(exchange, target);
      if (method === 'DELETE') return removeManifest(exchange, target);
      throw wrongMethod(exchange, 'GET, HEAD, PUT, DELETE');
    case 'tags':
      if (method === 'GET') return getTags(exchange, target);
      throw wrongMethod(exchange, 'GET, HEAD');
    case 'referrers':
      if (method === 'GET') return getReferrers(exchange, target);
      throw wrongMethod(exchange, 'GET, HEAD');
    case 'badName':
      throw registryError(
        'NAME_INVALID',
        'the repository name is not lower-case path components of at most 255 characters',
      );
    default:
      throw registryError('UNSUPPORTED', 'there is no such endpoint', { status: 404 });
  }
}

function wrongMethod(exchange: Exchange, allow: string) {
  exchange.response.setHeader('Allow', allow);
  return registryError('UNSUPPORTED', `this endpoint takes ${allow}`);
}

function scopeOf(target: Target, method: string | undefined): string | null {
  if (!('repository' in target)) return null;
  const reads = method === 'GET' || method === 'HEAD';
  return tokenScope(target.repository, reads ? 'pull' : method === 'DELETE' ? 'delete' : 'create');
}

function fail(services: Services, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { log, publicUrl } = services.deps;
  // Bytes were promised or the client is gone: only the connection is left to end.
  if (response.headersSent || request.socket.destroyed) {
    if (!request.socket.destroyed) log.warn({ method: request.method, err: error }, 'an answer was cut off');
    response.destroy();
    return;
  }
  const { status, body } = errorAnswer(error);
  if (status >= 500) log.error({ method: request.method, status, err: error }, 'a registry request failed');
  if (status === 401) {
    const scope = isSlipwayError(error) && typeof error.facts.scope === 'string' ? error.facts.scope : null;
    response.setHeader('WWW-Authenticate', challenge(baseUrl(request, publicUrl), scope));
  }
  const wait = isSlipwayError(error) ? error.facts.retryAfterS : undefined;
  if (status === 503 || wait !== undefined) response.setHeader('Retry-After', String(wait ?? 1));
  replyJson({ request, response }, status, body);
}

/** Reads on and drops what is left of a body (Node does so only for one never touched); who sends on for long is cut off. */
function endUnreadBody(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
  request.once('end', () => clearTimeout(timer));
}
