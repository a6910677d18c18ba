import type { IncomingMessage, ServerResponse } from 'node:http';
import { TOKEN_LIFETIME_MS } from '../auth/token.ts';
import { registryError } from '../errors.ts';
import { replyJson, type Services, sourceOf, unauthorized } from '../exchange.ts';

/**
 * `GET /v2/token`: the Docker token service. Whoever shows a good credential gets a session for a few minutes; what it may
 * do is judged at every use, so the scopes asked for are not needed here. Clients that POST first (containerd) take 405
 * as "use GET".
 */
export async function issueToken(
  services: Services,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET') {
    response.setHeader('Allow', 'GET');
    throw registryError('UNSUPPORTED', 'tokens are issued by GET');
  }
  const { deps, identifier, tokens } = services;
  const credential = identifier.credential(request.headers.authorization);
  const principal = credential && (await identifier.principal(credential, sourceOf(request)));
  if (!credential || !principal) throw unauthorized(null);
  const nowMs = deps.clock.nowMs();
  const secret = credential.header?.slice('Bearer '.length);
  const token = tokens.seal(secret, nowMs);
  replyJson(
    { request, response },
    200,
    {
      token,
      access_token: token,
      expires_in: Math.floor(TOKEN_LIFETIME_MS / 1000),
      issued_at: new Date(nowMs).toISOString(),
    },
    { 'Cache-Control': 'no-store' },
  );
}
