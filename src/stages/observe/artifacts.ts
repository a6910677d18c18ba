import { z } from 'zod';
import { type Digest, isDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Evidence } from '../../kernel/evidence.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';

const evidenceView = z.object({
  kind: z.string(),
  predicateType: z.string(),
  referrer: z.string(),
  verified: z.boolean(),
  problem: z.string().nullable(),
  key: z.string().nullable(),
  ledgerIndex: z.number().nullable(),
  predicate: z.record(z.string(), z.unknown()).nullable(),
});

const artifactView = z.object({
  digest: z.string(),
  service: z.string(),
  repository: z.string(),
  buildId: z.string().nullable(),
  commit: z.string(),
  mediaType: z.string(),
  sizeBytes: z.number(),
  createdAt: z.string(),
  /** Verified now, not when it was stored. */
  evidence: z.array(evidenceView),
  decisions: z.array(
    z.object({
      id: z.string(),
      environment: z.string(),
      outcome: z.string(),
      policyHash: z.string(),
      results: z.array(z.unknown()),
      at: z.string(),
    }),
  ),
  rollouts: z.array(
    z.object({
      id: z.string(),
      environment: z.string(),
      phase: z.string(),
      outcome: z.string().nullable(),
      createdAt: z.string(),
    }),
  ),
  runningIn: z.array(z.string()),
});

export interface ArtifactDeps {
  database: Database;
  /** The attest stage's reading of the referrers, signatures judged. */
  collectEvidence(repository: string, digest: Digest): Promise<readonly Evidence[]>;
}

export function artifactRoutes(deps: ArtifactDeps): Route[] {
  return [listArtifacts(deps), getArtifact(deps)];
}

function listArtifacts({ database }: ArtifactDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/artifacts',
    operationId: 'listArtifacts',
    summary: 'Artifacts, newest first',
    tag: 'artifacts',
    access: { verb: 'read' },
    query: z.object({
      service: z.string().max(63).optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
    }),
    response: z.object({
      artifacts: z.array(
        z.object({
          digest: z.string(),
          service: z.string(),
          repository: z.string(),
          commit: z.string(),
          sizeBytes: z.number(),
          createdAt: z.string(),
        }),
      ),
    }),
    async handle(_context, { query }) {
      const rows = await database.query<{
        digest: string;
        service: string;
        repository: string;
        commit_sha: string;
        size_bytes: number;
        created_at: Date;
      }>('select * from artifacts where $1::text is null or service = $1 order by created_at desc limit $2', [
        query.service ?? null,
        query.limit,
      ]);
      return {
        artifacts: rows.map((row) => ({
          digest: row.digest,
          service: row.service,
          repository: row.repository,
          commit: row.commit_sha,
          sizeBytes: row.size_bytes,
          createdAt: row.created_at.toISOString(),
        })),
      };
    },
  });
}

function getArtifact({ database, collectEvidence }: ArtifactDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/artifacts/:digest',
    operationId: 'getArtifact',
    summary: 'One artifact: commit, evidence verified now, decisions, where it runs',
    tag: 'artifacts',
    access: { verb: 'read' },
    params: z.object({ digest: z.string().refine(isDigest, 'a sha256 or sha512 digest') }),
    response: artifactView,
    async handle(_context, { params }) {
      const digest = params.digest as Digest;
      const [row] = await database.query<{
        service: string;
        repository: string;
        build_id: string | null;
        commit_sha: string;
        media_type: string;
        size_bytes: number;
        created_at: Date;
      }>('select * from artifacts where digest = $1', [digest]);
      if (row === undefined) throw new SlipwayError('not_found', `there is no artifact ${digest}`);
      const [evidence, decisions, rollouts, lanes] = await Promise.all([
        collectEvidence(row.repository, digest),
        database.query<{
          id: string;
          environment: string;
          outcome: string;
          policy_hash: string;
          results: unknown[];
          decided_at: Date;
        }>(
          'select id, environment, outcome, policy_hash, results, decided_at from decisions where digest = $1 order by decided_at desc limit 100',
          [digest],
        ),
        database.query<{
          id: string;
          environment: string;
          phase: string;
          outcome: string | null;
          created_at: Date;
        }>(
          'select id, environment, phase, outcome, created_at from rollouts where digest = $1 order by created_at desc limit 100',
          [digest],
        ),
        database.query<{ environment: string }>(
          'select environment from lanes where digest = $1 order by environment',
          [digest],
        ),
      ]);
      return {
        digest,
        service: row.service,
        repository: row.repository,
        buildId: row.build_id,
        commit: row.commit_sha,
        mediaType: row.media_type,
        sizeBytes: row.size_bytes,
        createdAt: row.created_at.toISOString(),
        evidence: evidence.map((item) => ({ ...item })),
        decisions: decisions.map(
          ({ id, environment, outcome, policy_hash: policyHash, results, decided_at: at }) => ({
            id,
            environment,
            outcome,
            policyHash,
            results,
            at: at.toISOString(),
          }),
        ),
        rollouts: rollouts.map(({ id, environment, phase, outcome, created_at: createdAt }) => ({
          id,
          environment,
          phase,
          outcome,
          createdAt: createdAt.toISOString(),
        })),
        runningIn: lanes.map((lane) => lane.environment),
      };
    },
  });
}
