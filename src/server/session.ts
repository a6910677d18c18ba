import { z } from 'zod';
import { SlipwayError } from '../kernel/errors.ts';
import { type Principal, RawAnswer, type Route, route } from '../platform/http/route.ts';

/**
 * The browser's session is the token itself in a cookie scripts cannot read and other sites cannot send (HttpOnly,
 * SameSite=Strict); with the Origin check on every request no foreign page can act with it.
 */
export function sessionRoutes(deps: {
  cookie: string;
  authenticate(token: string, source: string): Promise<Principal | null>;
}): Route[] {
  const answer = (value: string, maxAge: number, body: unknown) =>
    new RawAnswer('application/json; charset=utf-8', JSON.stringify(body), {
      'set-cookie': `${deps.cookie}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAge}`,
      'cache-control': 'no-store',
    });
  return [
    route({
      method: 'POST',
      path: '/v1/session',
      operationId: 'signIn',
      summary: 'Trade a token for a browser session',
      tag: 'access',
      access: 'open',
      body: z.object({ token: z.string().min(1).max(300) }),
      produces: 'application/json',
      async handle(context, { body }) {
        const principal = await deps.authenticate(body.token, context.source);
        if (principal === null)
          throw new SlipwayError('unauthenticated', 'this token is unknown, expired or revoked');
        return answer(body.token, 12 * 3_600, { actor: principal.actor });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/session/end',
      operationId: 'signOut',
      summary: 'Forget the browser session',
      tag: 'access',
      access: 'open',
      produces: 'application/json',
      async handle() {
        return answer('', 0, { ended: true });
      },
    }),
  ];
}
