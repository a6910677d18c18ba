import { isIP } from 'node:net';
import { SlipwayError } from '../../kernel/errors.ts';
import type { AuthorizedTransport } from './authorize.ts';
import { drop, type Transport } from './transport.ts';

const REDIRECTS_MAX = 5;

/**
 * Follows redirects of GET and HEAD, as registries use them to hand blobs over from object stores. Credentials go to the
 * registry's own origin only; https is never left; an address of a private network is refused unless it is the registry's.
 */
export function following(
  authorized: AuthorizedTransport,
  plain: Transport,
  registry: URL,
): AuthorizedTransport {
  return async (request, scope) => {
    let answer = await authorized(request, scope);
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer;
    for (let hops = 0; answer.status >= 301 && answer.status <= 308 && answer.headers.location; hops++) {
      if (hops === REDIRECTS_MAX) throw refused(registry, 'redirects without end');
      const url = URL.canParse(answer.headers.location, answer.url.href)
        ? new URL(answer.headers.location, answer.url)
        : null;
      drop(answer);
      if (!url || !mayFollow(url, registry))
        throw refused(registry, `redirects to ${url?.host ?? 'no address'}`);
      const next = { ...request, url };
      answer = url.origin === registry.origin ? await authorized(next, scope) : await plain(next);
    }
    return answer;
  };
}

function mayFollow(url: URL, registry: URL): boolean {
  if (url.protocol !== 'https:' && url.protocol !== registry.protocol) return false;
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false;
  return url.hostname === registry.hostname || !isPrivateAddress(url.hostname);
}

/** Loopback, link-local, private and unspecified addresses, written as such; names are left to the network's own guards. */
function isPrivateAddress(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  if (isIP(host) === 4)
    return /^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
      host,
    );
  // Of IPv6 only global unicast (2000::/3) is public; URL writes mapped IPv4 addresses as ::ffff:…
  return isIP(host) === 6 && !/^[23]/.test(host);
}

function refused(registry: URL, what: string): SlipwayError {
  return new SlipwayError('forbidden', `the registry ${registry.host} ${what}, which is not followed`);
}
