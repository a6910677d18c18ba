import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

const HOST_PATTERN = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

/** Where the client reached us: `publicUrl`, else from the Host header, which only the client itself sees again. */
export function baseUrl(request: IncomingMessage, publicUrl: string | undefined): string {
  if (publicUrl !== undefined) return publicUrl;
  const host = request.headers.host ?? '';
  const scheme = (request.socket as TLSSocket).encrypted ? 'https' : 'http';
  return `${scheme}://${HOST_PATTERN.test(host) ? host : 'localhost'}`;
}

/** `WWW-Authenticate` that sends docker, skopeo, oras and the rest to the token service. */
export function challenge(base: string, scope: string | null): string {
  const scopePart = scope === null ? '' : `,scope="${scope}"`;
  return `Bearer realm="${base}/v2/token",service="slipway"${scopePart}`;
}
