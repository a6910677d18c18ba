import { z } from 'zod';
import { isDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { decisions, deployments, promotions, rollouts } from './why-links.ts';
import { addEntries, origin } from './why-origin.ts';
import { type Found, type Why, whySchema } from './why-schema.ts';

export function whyRoute({ database }: { database: Database }): Route {
  return route({
    method: 'GET',
    path: '/v1/why',
    operationId: 'why',
    summary: 'From running bytes back to the commit, with every decision',
    tag: 'observe',
    access: { verb: 'read' },
    query: z.object({ subject: z.string().min(1).max(300) }),
    response: whySchema,
    handle: async (_context, { query }) => why(database, query.subject),
  });
}

/** `service/environment`, a digest, a rollout or promotion id, or the URL of a lane. */
async function resolve(database: Database, subject: string): Promise<Found> {
  const port = /^https?:\/\//.test(subject) && URL.canParse(subject) ? new URL(subject).port : null;
  const [a, b] = subject.includes('/') ? subject.split('/', 2) : [null, null];
  const rows = isDigest(subject)
    ? await database.query<Found>(
        'select service, null as environment, digest from artifacts where digest = $1',
        [subject],
      )
    : port !== null
      ? await database.query<Found>(
          'select service, environment, digest from lanes where listen_port = $1 and digest is not null',
          [Number(port || 0)],
        )
      : await database.query<Found>(
          `select service, environment, digest from rollouts where id = $1
           union all select service, environment, digest from promotions where id = $1
           union all select service, environment, digest from lanes where service = $2 and environment = $3 and digest is not null
           union all select service, null, digest from artifacts where digest like 'sha256:' || $4 || '%'`,
          [subject, a, b, /^[0-9a-f]{12,64}$/.test(subject) ? subject : '-'],
        );
  const [first] = rows;
  if (first === undefined) {
    throw new SlipwayError('not_found', `nothing is known of ${subject.slice(0, 100)}`, {
      hint: 'give service/environment, a digest, a rollout or promotion id, or the address of a deployment',
    });
  }
  return first;
}

async function why(database: Database, subject: string): Promise<Why> {
  const found = await resolve(database, subject);
  const parts = await Promise.all([
    deployments(database, found),
    rollouts(database, found),
    promotions(database, found),
    decisions(database, found),
    origin(database, found),
  ]);
  const chain = parts.flat();
  await addEntries(database, chain, found.digest);
  const lanes = await database.query<{ environment: string }>(
    'select environment from lanes where service = $1 and digest = $2 order by environment',
    [found.service, found.digest],
  );
  return {
    subject,
    service: found.service,
    environment: found.environment,
    digest: found.digest,
    runningIn: lanes.map((lane) => lane.environment),
    chain,
  };
}
