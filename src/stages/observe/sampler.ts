import type { InstanceStatus, RouterStats } from '../../kernel/dataplane.ts';
import { splitLane } from '../../kernel/ids.ts';
import { json, type Queryable } from '../../platform/postgres/database.ts';
import { sampleLanes } from './sample.ts';

/** Samples are kept this long; older ones are what evidence series and the ledger are for. */
const KEEP_HOURS = 24;

export interface Sampler {
  /** Writes one sample a lane from a snapshot of the data plane; the first snapshot only sets the base. */
  record(stats: RouterStats, instances: readonly InstanceStatus[]): Promise<void>;
}

export function createSampler(database: Queryable): Sampler {
  let before: RouterStats | null = null;
  let trimmedAtMs = 0;
  return {
    async record(stats, instances) {
      const samples = [...sampleLanes(before, stats, instances)];
      before = stats;
      if (samples.length > 0) {
        const lanes = samples.map(([lane]) => splitLane(lane));
        await database.query(
          `insert into lane_samples (service, environment, at, sample)
           select s.service, s.environment, $3, s.sample from unnest($1::text[], $2::text[], $4::jsonb[]) as s(service, environment, sample)
           on conflict (service, environment, at) do nothing`,
          [
            lanes.map((lane) => lane.service),
            lanes.map((lane) => lane.environment),
            new Date(stats.atMs),
            samples.map(([, sample]) => json(sample)),
          ],
        );
      }
      if (stats.atMs - trimmedAtMs > 60_000) {
        trimmedAtMs = stats.atMs;
        await database.query('delete from lane_samples where at < $1', [
          new Date(stats.atMs - KEEP_HOURS * 3_600_000),
        ]);
      }
    },
  };
}
