import { EventEmitter } from 'node:events';
import {
  Logger as GraphileLogger,
  makeWorkerUtils,
  run,
  type Task,
  type WorkerEvents,
} from 'graphile-worker';
import { sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Database, Queryable } from '../postgres/database.ts';

/**
 * Wake-ups by (task, id) on graphile-worker: a reconciler is told an id and nothing else, so a lost or doubled wake-up
 * only costs a look. Jobs of one (task, id) never run at the same time.
 */
export type TaskHandler = (id: string, signal: AbortSignal) => Promise<void>;

/** Makes the queue's own tables. Safe to call from many processes at once. */
export async function migrateQueue(connectionString: string): Promise<void> {
  const utils = await makeWorkerUtils({ connectionString, noPreparedStatements: true });
  try {
    await utils.migrate();
  } finally {
    await utils.release();
  }
}

/** Look at `id` now, as soon as the transaction commits. Replaces a later look that was planned. */
export async function wake(tx: Queryable, task: string, id: string): Promise<void> {
  await addJob(tx, task, id, null, 'replace');
}

/** Look at `id` at `atMs`, unless an earlier look is planned already. */
export async function wakeLater(tx: Queryable, task: string, id: string, atMs: number): Promise<void> {
  await addJob(tx, task, id, new Date(atMs), 'preserve_run_at');
}

const MAX_ATTEMPTS = 25;

async function addJob(
  tx: Queryable,
  task: string,
  id: string,
  runAt: Date | null,
  mode: string,
): Promise<void> {
  const key = `${task}:${id}`;
  await tx.query(
    `select graphile_worker.add_job($1, payload := json_build_object('id', $2::text), queue_name := $3, run_at := $4,
       max_attempts := ${MAX_ATTEMPTS}, job_key := $3, job_key_mode := $5)`,
    [task, id, key, runAt, mode],
  );
}

export interface QueueWorker {
  /** Waits for what runs, up to the library's grace, then returns. */
  stop(): Promise<void>;
}

const HEARTBEAT_MS = 1_000;
/** A worker silent for this long is dead: its jobs are given back. Well under the 5 s in which work must resume. */
const DEAD_AFTER = '3 seconds';

export interface QueueOptions {
  database: Database;
  tasks: Readonly<Record<string, TaskHandler>>;
  concurrency: number;
  log: Logger;
}

/** Runs the tasks until stopped, and gives back the jobs of workers that died. */
export async function startQueue({ database, tasks, concurrency, log }: QueueOptions): Promise<QueueWorker> {
  const stopping = new AbortController();
  const living = new Set<string>();
  const events: WorkerEvents = new EventEmitter();
  // Jobs are locked in the name of the pool, or of a worker, depending on how they were fetched: both are ours.
  events.on('pool:create', ({ workerPool }) => living.add(workerPool.id));
  events.on('worker:create', ({ worker }) => living.add(worker.workerId));
  const runner = await run({
    pgPool: database.pool,
    concurrency,
    taskList: Object.fromEntries(
      Object.entries(tasks).map(([name, handler]) => [name, toTask(handler, stopping.signal)]),
    ),
    pollInterval: 500,
    noHandleSignals: true,
    events,
    logger: graphileLogger(log),
  });
  await beat(database, [...living]);
  const heart = heartbeat(database, living, log, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await runner.stop();
      await heart;
      await database.query('delete from worker_heartbeats where worker_id = any($1)', [[...living]]);
    },
  };
}

function toTask(handler: TaskHandler, stopping: AbortSignal): Task {
  return async (payload, helpers) => {
    const signal = helpers.abortSignal ? AbortSignal.any([helpers.abortSignal, stopping]) : stopping;
    await handler((payload as { id: string }).id, signal);
  };
}

async function heartbeat(
  database: Database,
  living: ReadonlySet<string>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await beat(database, [...living]);
      await releaseDead(database);
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'heartbeat failed');
    }
    await sleep(HEARTBEAT_MS, signal);
  }
}

/** Leases are judged on PostgreSQL's clock alone, so that skew between hosts cannot take a living worker's job. */
async function beat(database: Queryable, workerIds: readonly string[]): Promise<void> {
  await database.query(
    `insert into worker_heartbeats (worker_id, at) select id, now() from unnest($1::text[]) id
     on conflict (worker_id) do update set at = excluded.at`,
    [workerIds],
  );
}

async function releaseDead(database: Queryable): Promise<void> {
  await database.query(`delete from worker_heartbeats where at < now() - interval '1 hour'`);
  await database.query(
    `select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
     from graphile_worker._private_jobs j
     where locked_by is not null and locked_at < now() - interval '${DEAD_AFTER}'
       and not exists (select 1 from worker_heartbeats h where h.worker_id = j.locked_by and h.at > now() - interval '${DEAD_AFTER}')
     having count(*) > 0`,
  );
}

/** The library's own chatter goes to debug; what it calls an error is a job that will be tried again. */
function graphileLogger(log: Logger): GraphileLogger {
  return new GraphileLogger(() => (level, message) => {
    if (level === 'error') log.warn({ queue: true }, message);
    else if (level === 'warning') log.info({ queue: true }, message);
    else log.debug({ queue: true }, message);
  });
}
