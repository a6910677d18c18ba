import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../../platform/http/route.ts';
import type { Credential, Identifier } from './auth/identify.ts';
import type { TokenSealer } from './auth/token.ts';
import type { ManifestCache } from './cache.ts';
import type { RegistryDeps } from './deps.ts';
import { registryError } from './errors.ts';
import { type RegistryAction, tokenScope } from './plan.ts';

/** What lives as long as the registry. */
export interface Services {
  deps: RegistryDeps;
  cache: ManifestCache;
  tokens: TokenSealer;
  identifier: Identifier;
}

/** One request of a known caller, and its answer. */
export interface Exchange extends Services {
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  credential: Credential;
  principal: Principal;
  nowMs: number;
}

/** Address of the peer. */
export function sourceOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

/** True when the caller may do one of these. */
export function mayAny(exchange: Exchange, actions: readonly RegistryAction[], repository: string): boolean {
  return actions.some((action) => exchange.deps.allowed(exchange.principal, action, repository));
}

/**
 * Throws unless the caller may do one of these in the repository. Asked before anything is looked up, so that "absent" and
 * "not yours" give the same answer. A caller without credentials is asked for them.
 */
export function requireAny(exchange: Exchange, actions: readonly RegistryAction[], repository: string): void {
  if (mayAny(exchange, actions, repository)) return;
  if (exchange.credential.header === undefined) throw unauthorized(tokenScope(repository, actions[0]!));
  throw registryError(
    'DENIED',
    `${exchange.principal.actor} may not ${actions.join(' or ')} in ${repository}`,
  );
}

/** 401; the edge adds the challenge for `scope`. */
export function unauthorized(scope: string | null) {
  return registryError('UNAUTHORIZED', 'give a token of Slipway: any user name, the token as the password', {
    ...(scope === null ? {} : { detail: { scope } }),
  });
}

/** Sends an answer without a body of its own, or with a short one. `Content-Length` is always stated. */
export function reply(
  exchange: Pick<Exchange, 'request' | 'response'>,
  status: number,
  headers: Readonly<Record<string, string | number | readonly string[]>>,
  body?: Buffer | string,
): void {
  const { request, response } = exchange;
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const empty = body === undefined && status !== 204 && status !== 304 && !('Content-Length' in headers);
  response.writeHead(status, { ...headers, ...length, ...(empty ? { 'Content-Length': 0 } : {}) } as Record<
    string,
    string
  >);
  response.end(request.method === 'HEAD' ? undefined : body);
}

export function replyJson(
  exchange: Pick<Exchange, 'request' | 'response'>,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  reply(exchange, status, { 'Content-Type': 'application/json', ...headers }, JSON.stringify(value));
}
