import { SlipwayError } from '../../kernel/errors.ts';
import { type Clock, systemClock } from '../clock.ts';
import { type AuthorizedTransport, authorizing, type Credentials } from './authorize.ts';
import { following } from './redirects.ts';
import { type Answer, createTransport, type OutgoingRequest } from './transport.ts';

const TIMEOUT_MS = 30_000;

export interface RegistryClientOptions {
  /** `https://registry.example.org` or `http://127.0.0.1:5000`. */
  url: string;
  credentials: Credentials | null;
  userAgent: string;
  /** Nothing moves for so long: `unreachable`. Default 30 s. */
  timeoutMs?: number;
  /** Sends blobs in chunks of so many bytes instead of whole, for proxies that bound bodies. */
  chunkBytes?: number;
  /** Hosts of token services that may see the credentials, beyond the registry's own and those above it. */
  tokenHosts?: readonly string[];
  clock?: Clock;
}

/** One registry as the parts of the client see it. */
export interface Remote {
  send(repository: string, request: RemoteRequest): Promise<Answer>;
  /** An address of this registry, or one it gave: relative or absolute, but of the same origin. */
  resolve(location: string): URL;
}

interface RemoteRequest extends Omit<OutgoingRequest, 'url' | 'headers'> {
  /** Path (with query) on the registry, or a whole URL from `resolve`. */
  url: string | URL;
  headers?: Record<string, string>;
  /** Default: pull for GET and HEAD, else pull and push. */
  actions?: string;
}

export function createRemote(options: RegistryClientOptions): Remote {
  const registry = new URL(options.url);
  if (registry.protocol !== 'http:' && registry.protocol !== 'https:')
    throw new TypeError('a registry is http or https');
  const transport = createTransport({
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    userAgent: options.userAgent,
  });
  const send: AuthorizedTransport = following(
    authorizing(transport, {
      registry,
      credentials: options.credentials,
      clock: options.clock ?? systemClock,
      tokenHosts:
        options.tokenHosts ?? (registry.hostname === 'registry-1.docker.io' ? ['auth.docker.io'] : []),
    }),
    transport,
    registry,
  );
  const resolve = (location: string) => {
    const url = new URL(location, registry);
    if (url.origin === registry.origin) return url;
    throw new SlipwayError(
      'forbidden',
      `the registry ${registry.host} sent an upload elsewhere, to ${url.host}`,
    );
  };
  return {
    resolve,
    send(repository, { method, url, headers = {}, body, actions }) {
      const verbs = actions ?? (method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push');
      return send(
        { method, url: resolve(String(url)), headers, ...(body === undefined ? {} : { body }) },
        `repository:${repository}:${verbs}`,
      );
    },
  };
}
