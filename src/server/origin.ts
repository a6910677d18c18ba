import { SlipwayError } from '../kernel/errors.ts';

/**
 * The browser is hostile ground, loopback included: a page of another origin may reach our port by DNS rebinding or by a
 * plain form. Only the names we listen on are accepted as Host, and an Origin must be one of them.
 */
export function checkOrigin(
  headers: { host?: string | undefined; origin?: string | undefined },
  allowedHosts: ReadonlySet<string>,
): void {
  const host = (headers.host ?? '').toLowerCase();
  if (!allowedHosts.has(hostName(host))) {
    throw new SlipwayError('forbidden', 'the Host header names no address of this server', {
      hint: 'set SLIPWAY_ALLOWED_HOSTS for other names',
    });
  }
  const { origin } = headers;
  if (origin === undefined) return;
  let name: string;
  try {
    name = new URL(origin).host.toLowerCase();
  } catch {
    throw new SlipwayError('forbidden', 'the Origin is not one of this server');
  }
  if (name !== host) throw new SlipwayError('forbidden', 'the Origin is not one of this server');
}

function hostName(host: string): string {
  if (host.startsWith('[')) return host.slice(0, host.indexOf(']') + 1);
  const colon = host.lastIndexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}

/** No inline script, no foreign source: what comes from commits, logs and SBOMs is text and stays text. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;
