import type { LaneRoute } from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { laneOf } from '../../kernel/ids.ts';
import type { RolloutKind, RolloutSpec } from '../../kernel/rollout.ts';
import { isUniqueViolation, json, type Transaction } from '../../platform/postgres/database.ts';
import { initialState } from './plan.ts';
import type { RolloutDeps } from './ports.ts';
import { type InstanceTemplate, type LaneRuntime, startAnalysis } from './store.ts';

export interface NewRollout {
  id: string;
  service: string;
  environment: string;
  kind: RolloutKind;
  digest: Digest;
  repository: string;
  releaseId: string | null;
  promotionId: string | null;
  spec: RolloutSpec;
  template: InstanceTemplate;
  /** How the version in the lane runs; asked only when there is one. */
  previousTemplate(releaseId: string): Promise<InstanceTemplate>;
  sticky: LaneRoute['sticky'];
  /** Used when the lane has no port yet. */
  listenPort(): Promise<number>;
  actor: string;
  nowMs: number;
}

interface LaneRow {
  digest: Digest | null;
  release_id: string | null;
  listen_port: number | null;
  fence: number;
}

/**
 * Creates the rollout and takes the lane, in the caller's transaction. `lane_busy` when another is active there,
 * `invalid_state` when the lane runs the digest already.
 */
export async function createRollout(
  append: RolloutDeps['append'],
  tx: Transaction,
  input: NewRollout,
): Promise<void> {
  const { service, environment, digest, nowMs } = input;
  await tx.query('insert into lanes (service, environment) values ($1, $2) on conflict do nothing', [
    service,
    environment,
  ]);
  const [lane] = await tx.query<LaneRow>(
    'select digest, release_id, listen_port, fence from lanes where service = $1 and environment = $2 for update',
    [service, environment],
  );
  if (lane === undefined) throw new SlipwayError('internal', `lane ${service}/${environment} vanished`);
  if (lane.digest === digest)
    throw new SlipwayError('invalid_state', `${service} in ${environment} runs ${digest} already`);
  const port = lane.listen_port ?? (await input.listenPort());
  const versions: Record<Digest, InstanceTemplate> = { [digest]: input.template };
  if (lane.digest !== null && lane.release_id !== null)
    versions[lane.digest] = await input.previousTemplate(lane.release_id);
  const runtime: LaneRuntime = {
    listen: { host: '127.0.0.1', port },
    sticky: input.sticky,
    versions,
  };
  const epoch = lane.fence + 1;
  await tx.query('update lanes set fence = $3, listen_port = $4 where service = $1 and environment = $2', [
    service,
    environment,
    epoch,
    port,
  ]);
  const now = new Date(nowMs);
  await insert(tx, input, lane.digest, runtime, epoch, now);
  // Before the first traffic: the first look only records where the counters stand.
  if (lane.digest !== null) await startAnalysis(tx, input.id, input.spec.analysis, nowMs);
  const data = {
    digest,
    previousDigest: lane.digest,
    kind: input.kind,
    spec: input.spec,
    state: initialState(nowMs),
    epoch,
    releaseId: input.releaseId,
  };
  await append(tx, {
    kind: 'rollout.created',
    atMs: nowMs,
    actor: input.actor,
    service,
    environment,
    subject: input.id,
    data,
  });
}

async function insert(
  tx: Transaction,
  input: NewRollout,
  previous: Digest | null,
  runtime: LaneRuntime,
  epoch: number,
  now: Date,
): Promise<void> {
  const { service, environment } = input;
  try {
    await tx.query(
      `insert into rollouts (id, service, environment, promotion_id, release_id, kind, digest, previous_digest, repository,
         spec, runtime, state, phase, fence, wake_at, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'preparing', $13, $14, $14, $14)`,
      [
        input.id,
        service,
        environment,
        input.promotionId,
        input.releaseId,
        input.kind,
        input.digest,
        previous,
        input.repository,
        json(input.spec),
        json(runtime),
        json(initialState(now.getTime())),
        epoch,
        now,
      ],
    );
  } catch (error) {
    if (!isUniqueViolation(error, 'rollouts_one_active_per_lane')) throw error;
    throw new SlipwayError('lane_busy', `a rollout is active in ${laneOf(service, environment)}`, {
      cause: error,
    });
  }
}
