import { firstLine, type LaneRow, type RolloutRow, type WaitingRow } from './matrix-rows.ts';
import type { Cell } from './matrix-schema.ts';
import type { LaneSample } from './sample.ts';

/** A sample older than this says nothing about now. */
const STALE_MS = 10_000;
/** Within this long of a takeover the next sample is still to come. */
const JUST_NOW_MS = 3_000;

/** One service in one environment, put into words. */
export function toCell(
  service: string,
  environment: string,
  lane: LaneRow | undefined,
  rollouts: RolloutRow[],
  waiting: WaitingRow[],
  nowMs: number,
): Cell {
  const active = rollouts.find((rollout) => rollout.ended_at === null);
  const ended = rollouts.find((rollout) => rollout.ended_at !== null);
  const fresh = lane?.sampled_at && nowMs - lane.sampled_at.getTime() < STALE_MS ? lane.sample : null;
  const [health, healthReason] = judgeHealth(lane, fresh, nowMs);
  return {
    service,
    environment,
    current:
      lane?.digest && lane.since
        ? {
            digest: lane.digest,
            releaseId: lane.release_id,
            releaseNumber: lane.number,
            commit: lane.commit_sha,
            message: lane.message === null ? null : firstLine(lane.message),
            rolloutId: lane.rollout_id,
            since: lane.since.toISOString(),
          }
        : null,
    url: lane?.listen_port ? `http://127.0.0.1:${lane.listen_port}/` : null,
    sample: fresh && lane?.sampled_at ? { ...fresh, at: lane.sampled_at.toISOString() } : null,
    health,
    healthReason,
    moving: active
      ? {
          rolloutId: active.id,
          digest: active.digest,
          releaseNumber: active.number,
          phase: active.phase,
          weight: active.canary_weight,
          verdict: active.verdict,
          reason: active.reasons[0] ?? '',
          paused: active.paused,
          since: active.created_at.toISOString(),
        }
      : null,
    waiting: waiting.map((row) => ({
      promotionId: row.id,
      status: row.status,
      reason: row.reason ?? '',
      releaseNumber: row.number,
      since: row.status_at.toISOString(),
    })),
    last:
      ended?.ended_at && ended.outcome
        ? {
            rolloutId: ended.id,
            outcome: ended.outcome,
            reason: ended.reasons[0] ?? '',
            releaseNumber: ended.number,
            at: ended.ended_at.toISOString(),
          }
        : null,
  };
}

/** Health of what runs, apart from what moves. No data is neither zero nor healthy. */
function judgeHealth(
  lane: LaneRow | undefined,
  sample: LaneSample | null,
  nowMs: number,
): [Cell['health'], string] {
  if (!lane?.digest) return ['empty', 'nothing runs here yet'];
  // The takeover itself saw every instance ready; a sample from before it speaks of the version before.
  const sinceMs = lane.since?.getTime() ?? 0;
  const older = sample === null || (lane.sampled_at?.getTime() ?? 0) <= sinceMs;
  if (older && nowMs - sinceMs < JUST_NOW_MS)
    return ['healthy', 'it has just taken over with every instance ready'];
  if (sample === null) return ['no-data', 'no sample of the data plane in the last 10 s'];
  const { ready, total } = sample.instances;
  if (ready === 0) return ['down', `0 of ${total} instances are ready`];
  const errors = errorRate(sample);
  if (errors !== null && errors > 0.05)
    return ['degraded', `${(errors * 100).toFixed(1)} % of requests fail`];
  if (ready < total) return ['degraded', `${ready} of ${total} instances are ready`];
  return ['healthy', `${ready} instances are ready`];
}

/** Over every group with traffic: after a takeover the new version is still called the canary until the next rollout. */
function errorRate(sample: LaneSample): number | null {
  const measured = Object.values(sample.groups).filter((group) => group.errorRate !== null && group.rps > 0);
  const requests = measured.reduce((sum, group) => sum + group.rps, 0);
  if (requests === 0) return null;
  return measured.reduce((sum, group) => sum + (group.errorRate ?? 0) * group.rps, 0) / requests;
}
