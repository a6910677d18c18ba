import type { BackendCounters, LaneCounters, RouterStats } from '../../kernel/dataplane.ts';
import type { Lane } from '../../kernel/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { recordHistory } from './minutes.ts';
import { type Analysis, analyze } from './plan.ts';
import type { HistoryRecorder } from './recorder.ts';
import { type AnalysisRow, type AnalysisWrite, loadAnalyses, thinEvidence, writeAnalyses } from './store.ts';

export interface AnalyzeDeps {
  database: Database;
  clock: Clock;
  /** One snapshot of all lanes from the router; null or a rejection when it does not answer. */
  stats(): Promise<RouterStats | null>;
  log: Logger;
  /** Kept by the worker between passes; without it every analysis starts without history, and so more slowly. */
  history?: HistoryRecorder;
}

/** Rows a statement: bounds memory, and keeps a slow pass from holding locks on everything. */
const BATCH = 500;
/** A series is looked at for thinning once in so many points. */
const THIN_EVERY = 50;

/**
 * One pass over all analyses of rollouts under way, about once a second; returns how many were written. Takes no input but
 * the rows, and all it remembers is in them: after a crash anywhere the next pass goes on from the last commit, and counts
 * what the counters moved by since. Two workers may run it at once: the generation lets one of them write.
 */
export async function reconcileAnalyses(deps: AnalyzeDeps): Promise<number> {
  const { database, clock } = deps;
  let stats: RouterStats | null = null;
  let lanes = new Map<Lane, LaneCounters>();
  const observe = async () => {
    stats = await routerStats(deps);
    lanes = new Map(stats?.lanes.map((lane) => [lane.lane, lane]));
    if (stats && deps.history) await recordHistory(deps, deps.history, stats);
  };
  if (deps.history) await observe();
  let afterId = '';
  let written = 0;
  for (;;) {
    const rows = await loadAnalyses(database, afterId, BATCH);
    if (rows.length === 0) return written;
    if (afterId === '' && !deps.history) await observe();
    const nowMs = clock.nowMs();
    const writes = rows.flatMap((row) => {
      const write = judgeRow(deps, row, stats, lanes.get(row.lane), nowMs);
      return write === null ? [] : [write];
    });
    const done = new Set(await writeAnalyses(database, writes, nowMs));
    written += done.size;
    const long = writes.filter(
      (write) => done.has(write.rolloutId) && write.generation % THIN_EVERY === THIN_EVERY - 1,
    );
    if (long.length > 0)
      await thinEvidence(
        database,
        long.map(({ rolloutId }) => rolloutId),
      );
    if (rows.length < BATCH) return written;
    afterId = rows[rows.length - 1]?.rolloutId ?? afterId;
  }
}

async function routerStats({ stats, log }: AnalyzeDeps): Promise<RouterStats | null> {
  try {
    return await stats();
  } catch (error) {
    log.warn({ err: error }, 'the router gave no counters');
    return null;
  }
}

/**
 * The router lists instances of earlier rollouts for a while after they are gone, and calls the last rollout's winners its
 * canary until they are relabelled: whose counters these are is told by the bytes alone.
 */
function ofThisRollout(row: AnalysisRow, backends: readonly BackendCounters[]): BackendCounters[] {
  return backends.flatMap((backend) => {
    if (backend.digest === row.digest) return [{ ...backend, group: 'canary' as const }];
    if (backend.digest !== row.previousDigest) return [];
    return [backend.group === 'canary' ? { ...backend, group: 'stable' as const } : backend];
  });
}

/** null when nothing changed. One analysis that cannot be judged is no data for its rollout, and none of the others' business. */
function judgeRow(
  deps: AnalyzeDeps,
  row: AnalysisRow,
  stats: RouterStats | null,
  lane: LaneCounters | undefined,
  nowMs: number,
): AnalysisWrite | null {
  let analysis: Analysis;
  try {
    const snapshot =
      stats && lane
        ? {
            atMs: stats.atMs,
            bootId: stats.bootId,
            canaryWeight: lane.weights.canary,
            backends: ofThisRollout(row, lane.backends),
          }
        : null;
    const history = row.state === null ? (deps.history?.of(row.lane, row) ?? null) : null;
    const burn = row.spec.budget ? (deps.history?.burn(row.lane) ?? null) : null;
    analysis = analyze(row.spec, row.state, snapshot, nowMs, { history, burn });
  } catch (error) {
    deps.log.error({ err: error, rollout: row.rolloutId }, 'an analysis could not be judged');
    const verdict = row.verdict === 'fail' ? 'fail' : 'no-data';
    analysis = { state: row.state, verdict, reason: 'the counters could not be judged', evidence: null };
  }
  const { state, verdict, reason, evidence } = analysis;
  const turned = verdict !== row.verdict;
  if (!turned && state === row.state && reason === row.reason) return null;
  // The rollout's own pass may overwrite a wake-up that came while it ran; a fail is told until it is heard.
  const wake = turned || verdict === 'fail';
  return {
    rolloutId: row.rolloutId,
    generation: row.generation,
    state,
    verdict,
    reason,
    point: evidence,
    wake,
  };
}
