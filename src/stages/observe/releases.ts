import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';

const releaseView = z.object({
  id: z.string(),
  service: z.string(),
  number: z.number(),
  status: z.string(),
  problem: z.string().nullable(),
  digest: z.string().nullable(),
  buildId: z.string().nullable(),
  configDigest: z.string().nullable(),
  createdBy: z.string(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  commit: z.object({
    sha: z.string(),
    author: z.string(),
    authorEmail: z.string(),
    message: z.string(),
    committedAt: z.string(),
    signature: z.string(),
    ref: z.string(),
  }),
  /** Where it went, newest first. */
  promotions: z.array(
    z.object({
      id: z.string(),
      environment: z.string(),
      status: z.string(),
      reason: z.string().nullable(),
      rolloutId: z.string().nullable(),
      createdAt: z.string(),
      endedAt: z.string().nullable(),
    }),
  ),
});

interface Row {
  id: string;
  service: string;
  number: number;
  status: string;
  problem: string | null;
  digest: string | null;
  build_id: string | null;
  config_digest: string | null;
  created_by: string;
  created_at: Date;
  finished_at: Date | null;
  sha: string;
  author: string;
  author_email: string;
  message: string;
  committed_at: Date;
  signature: string;
  ref: string;
  promotions: {
    id: string;
    environment: string;
    status: string;
    reason: string | null;
    rolloutId: string | null;
    createdAt: string;
    endedAt: string | null;
  }[];
}

const SELECT = `select r.id, r.service, r.number, r.status, r.problem, r.digest, r.config_digest, r.created_by, r.created_at, r.finished_at,
    c.sha, c.author, c.author_email, c.message, c.committed_at, c.signature, c.ref,
    (select id from builds where release_id = r.id order by created_at desc limit 1) as build_id,
    (select coalesce(json_agg(json_build_object('id', p.id, 'environment', p.environment, 'status', p.status, 'reason', p.reason,
        'rolloutId', p.rollout_id, 'createdAt', p.created_at, 'endedAt', p.ended_at) order by p.created_at desc), '[]')
      from promotions p where p.release_id = r.id) as promotions
  from releases r join commits c on c.service = r.service and c.sha = r.commit_sha`;

export function releaseRoutes(database: Database): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/releases',
      operationId: 'listReleases',
      summary: 'Releases, newest first',
      tag: 'releases',
      access: { verb: 'read' },
      query: z.object({
        service: z.string().max(63).optional(),
        commit: z
          .string()
          .regex(/^[0-9a-f]{7,64}$/, 'a commit id')
          .optional(),
        limit: z.coerce.number().int().min(1).max(500).default(50),
      }),
      response: z.object({ releases: z.array(releaseView) }),
      async handle(_context, { query }) {
        const rows = await database.query<Row>(
          `${SELECT} where ($1::text is null or r.service = $1) and ($2::text is null or r.commit_sha like $2 || '%') order by r.created_at desc, r.number desc limit $3`,
          [query.service ?? null, query.commit ?? null, query.limit],
        );
        return { releases: rows.map(toView) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/releases/:release',
      operationId: 'getRelease',
      summary: 'One release: its commit, its artifact, where it went',
      tag: 'releases',
      access: { verb: 'read' },
      params: z.object({ release: z.string().max(64) }),
      response: releaseView,
      async handle(_context, { params }) {
        const [row] = await database.query<Row>(`${SELECT} where r.id = $1`, [params.release]);
        if (row === undefined) throw new SlipwayError('not_found', `there is no release ${params.release}`);
        return toView(row);
      },
    }),
  ];
}

function toView(row: Row): z.infer<typeof releaseView> {
  const iso = (text: string | null) => (text === null ? null : new Date(text).toISOString());
  return {
    id: row.id,
    service: row.service,
    number: row.number,
    status: row.status,
    problem: row.problem,
    digest: row.digest,
    buildId: row.build_id,
    configDigest: row.config_digest,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
    commit: {
      sha: row.sha,
      author: row.author,
      authorEmail: row.author_email,
      message: row.message,
      committedAt: row.committed_at.toISOString(),
      signature: row.signature,
      ref: row.ref,
    },
    promotions: row.promotions.map((promotion) => ({
      ...promotion,
      createdAt: iso(promotion.createdAt) ?? '',
      endedAt: iso(promotion.endedAt),
    })),
  };
}
