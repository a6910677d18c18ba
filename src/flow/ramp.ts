import type { RolloutSpec } from '../kernel/rollout.ts';
import type { Queryable } from '../platform/postgres/database.ts';
import { budgetedSteps, type LaneTraffic } from '../stages/analyze/ramp.ts';

/**
 * What a lane's traffic decides of a rollout, at the moment it is created: how large its error budget is, and the steps where
 * they follow from that. It is part of the spec from then on, so the ledger holds it and nothing moves while it runs.
 */

/** A day holds the busy and the quiet hours. */
const TRAFFIC_HOURS = 24;
/** Fewer samples than this are no knowledge of the traffic. */
const LEAST_SAMPLES = 30;

export async function fitToTraffic(
  tx: Queryable,
  spec: RolloutSpec,
  lane: { service: string; environment: string; nowMs: number },
): Promise<RolloutSpec> {
  const budget = spec.analysis?.budget;
  if (!spec.analysis || !budget) return spec;
  const traffic = await laneTraffic(tx, lane);
  return {
    ...spec,
    steps: budgetedSteps(spec, traffic),
    analysis: { ...spec.analysis, budget: { ...budget, ratePerS: traffic?.ratePerS ?? null } },
  };
}

/** Means over the samples of the last day, of which every second one is read; null when there are too few, or no traffic. */
export async function laneTraffic(
  tx: Queryable,
  { service, environment, nowMs }: { service: string; environment: string; nowMs: number },
): Promise<LaneTraffic | null> {
  const [row] = await tx.query<{ samples: number; rate: number | null; error_rate: number | null }>(
    `select count(*)::int as samples, avg(rps) as rate, sum(bad) / nullif(sum(rps), 0) as error_rate
       from (
         select (select coalesce(sum((g.value->>'rps')::float8), 0) from jsonb_each(s.sample->'groups') g) as rps,
                (select coalesce(sum((g.value->>'rps')::float8 * (g.value->>'errorRate')::float8), 0)
                   from jsonb_each(s.sample->'groups') g) as bad
           from lane_samples s
          where service = $1 and environment = $2 and at > $3 and at <= $4
            and extract(second from at)::int % 2 = 0
       ) one`,
    [service, environment, new Date(nowMs - TRAFFIC_HOURS * 3_600_000), new Date(nowMs)],
  );
  if (row === undefined || row.samples < LEAST_SAMPLES || row.rate === null || row.rate <= 0) return null;
  return { ratePerS: row.rate, errorRate: row.error_rate ?? 0 };
}
