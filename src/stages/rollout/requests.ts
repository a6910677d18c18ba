import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { isTerminal, type RolloutRequest, type RolloutState } from '../../kernel/rollout.ts';
import { json, type Queryable } from '../../platform/postgres/database.ts';

const ACCEPTS: Readonly<Record<RolloutRequest['kind'], readonly RolloutState['phase'][]>> = {
  pause: ['preparing', 'stepping', 'promoting'],
  resume: ['preparing', 'stepping', 'promoting'],
  abort: ['preparing', 'stepping', 'promoting'],
};

/**
 * Leaves a person's wish with the rollout and wakes it; the planner acts on it in its next pass. An abort replaces any
 * wish that waits; nothing replaces an abort.
 */
export async function requestRollout(
  database: Queryable,
  id: string,
  request: RolloutRequest,
): Promise<void> {
  const [row] = await database.query<{ state: RolloutState; request: RolloutRequest | null }>(
    'select state, request from rollouts where id = $1',
    [id],
  );
  if (row === undefined) throw new SlipwayError('not_found', `there is no rollout ${id}`);
  const { phase, paused } = row.state;
  if (isTerminal(phase)) throw new SlipwayError('invalid_state', `the rollout has ended: ${phase}`);
  if (!ACCEPTS[request.kind].includes(phase)) {
    const hint =
      phase === 'finishing'
        ? 'the new version carries all traffic; use `slipway rollback`'
        : 'it is on the way back already';
    throw new SlipwayError('invalid_state', `a rollout that is ${phase} cannot ${request.kind}`, { hint });
  }
  if (request.kind === 'resume' && paused === null)
    throw new SlipwayError('invalid_state', 'the rollout is not paused');
  const written = await database.query(
    `update rollouts set request = $2, wake_at = $3
     where id = $1 and ended_at is null and phase = any($4) and (request is null or request->>'kind' <> 'abort') returning id`,
    [id, json(request), new Date(request.atMs), ACCEPTS[request.kind]],
  );
  if (written.length > 0 || (request.kind === 'abort' && row.request?.kind === 'abort')) return;
  throw new SlipwayError(
    'invalid_state',
    'an abort is under way, or the rollout has moved on at this moment',
  );
}

export interface RollbackTarget {
  digest: Digest;
  releaseId: string;
  releaseNumber: number;
  commit: string;
  repository: string;
  /** When it last took over this lane. */
  healthyAt: Date;
  /** Whether going back to it is safe, and why or why not. */
  safe: boolean;
  reason: string;
}

/**
 * Where a rollback of the lane would go: the version before the present one that had fully taken over here. Unsafe ones
 * are shown too, with the reason, so that a person can decide with open eyes.
 */
export async function rollbackTargets(
  database: Queryable,
  service: string,
  environment: string,
): Promise<RollbackTarget[]> {
  const rows = await database.query<{
    digest: Digest;
    release_id: string;
    number: number;
    commit_sha: string;
    repository: string;
    ended_at: Date;
    held: boolean;
    turned_back: Date | null;
  }>(
    `select distinct on (r.digest) r.digest, r.release_id, l.number, l.commit_sha, r.repository, r.ended_at,
       exists (select 1 from registry_manifests m where m.digest = r.digest) as held,
       (select max(b.ended_at) from rollouts b where b.service = r.service and b.environment = r.environment
          and b.digest = r.digest and b.outcome = 'rolled-back') as turned_back
     from rollouts r join releases l on l.id = r.release_id
     join lanes n on n.service = r.service and n.environment = r.environment
     where r.service = $1 and r.environment = $2 and r.outcome = 'succeeded' and r.digest is distinct from n.digest
     order by r.digest, r.ended_at desc`,
    [service, environment],
  );
  return rows
    .map((row) => {
      const later = row.turned_back !== null && row.turned_back > row.ended_at;
      const reason = !row.held
        ? 'its image is no longer in the registry'
        : later
          ? 'it was rolled back here after it had taken over'
          : `it ran here from ${row.ended_at.toISOString()} and nothing was found against it`;
      return {
        digest: row.digest,
        releaseId: row.release_id,
        releaseNumber: row.number,
        commit: row.commit_sha,
        repository: row.repository,
        healthyAt: row.ended_at,
        safe: row.held && !later,
        reason,
      };
    })
    .sort((a, b) => b.healthyAt.getTime() - a.healthyAt.getTime());
}
