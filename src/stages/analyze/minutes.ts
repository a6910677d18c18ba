import type { RouterStats } from '../../kernel/dataplane.ts';
import { laneOf, splitLane } from '../../kernel/ids.ts';
import type { Logger } from '../../platform/log.ts';
import { json, type Queryable } from '../../platform/postgres/database.ts';
import { type HistoryRecorder, KEPT_MINUTES, type RecordedMinute } from './recorder.ts';
import type { PackedCounts } from './state.ts';
import { MINUTE_MS } from './windows.ts';

/** The recorded minutes of all lanes in the database: what a worker knows of before its own start. */

/** Rows read at a start: thousands of lanes; those left out begin without history. */
const MAX_ROWS = 200_000;
/** Rows a statement. */
const BATCH = 5_000;

/** Takes one snapshot into the history, and keeps what ended with it. A history that cannot be kept stops no analysis. */
export async function recordHistory(
  { database, log }: { database: Queryable; log: Logger },
  history: HistoryRecorder,
  stats: RouterStats,
): Promise<void> {
  try {
    if (!history.restored()) history.restore(await loadMinutes(database, stats.atMs));
  } catch (error) {
    log.warn({ err: error }, 'the recorded minutes could not be read');
  }
  history.observe(stats);
  const ended = history.takeEnded();
  try {
    for (let i = 0; i < ended.length; i += BATCH)
      await keepMinutes(database, ended.slice(i, i + BATCH), stats.atMs);
  } catch (error) {
    log.warn({ err: error, minutes: ended.length }, 'minutes could not be kept');
  }
}

export async function loadMinutes(database: Queryable, nowMs: number): Promise<RecordedMinute[]> {
  const rows = await database.query<{
    service: string;
    environment: string;
    at: Date;
    instance: string;
    digest: string;
    control: boolean;
    whole: boolean;
    requests: number;
    errors: number;
    latency: PackedCounts;
  }>(
    `select service, environment, at, instance, digest, control, whole, requests, errors, latency
       from lane_minutes where at > $1 and at <= $2 order by at limit $3`,
    [new Date(nowMs - KEPT_MINUTES * MINUTE_MS), new Date(nowMs), MAX_ROWS],
  );
  return rows.map(({ service, environment, at, ...count }) => ({
    lane: laneOf(service, environment),
    atMs: at.getTime(),
    ...count,
  }));
}

/** One statement adds what ended, another forgets what nobody asks for any more. Of two workers the first one's minute stays. */
export async function keepMinutes(
  database: Queryable,
  minutes: readonly RecordedMinute[],
  nowMs: number,
): Promise<void> {
  const lanes = minutes.map(({ lane }) => splitLane(lane));
  await database.query(
    `insert into lane_minutes (service, environment, at, instance, digest, control, whole, requests, errors, latency)
     select service, environment, to_timestamp(at_ms / 1000), instance, digest, control, whole, requests, errors, latency::jsonb
       from unnest($1::text[], $2::text[], $3::float8[], $4::text[], $5::text[], $6::bool[], $7::bool[], $8::int[], $9::int[], $10::text[])
         as t (service, environment, at_ms, instance, digest, control, whole, requests, errors, latency)
     on conflict do nothing`,
    [
      lanes.map(({ service }) => service),
      lanes.map(({ environment }) => environment),
      minutes.map(({ atMs }) => atMs),
      minutes.map(({ instance }) => instance),
      minutes.map(({ digest }) => digest),
      minutes.map(({ control }) => control),
      minutes.map(({ whole }) => whole),
      minutes.map(({ requests }) => requests),
      minutes.map(({ errors }) => errors),
      minutes.map(({ latency }) => json(latency)),
    ],
  );
  await database.query('delete from lane_minutes where at < $1', [
    new Date(nowMs - KEPT_MINUTES * MINUTE_MS),
  ]);
}
