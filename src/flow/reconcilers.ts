import { join } from 'node:path';
import { isSlipwayError } from '../kernel/errors.ts';
import { sleep } from '../platform/clock.ts';
import type { DataDirectory } from '../platform/data-directory.ts';
import { mirrorOf } from '../platform/git/mirror.ts';
import { type TaskHandler, wake, wakeLater } from '../platform/queue/queue.ts';
import { reconcileAnalyses } from '../stages/analyze/apply.ts';
import { historyRecorder } from '../stages/analyze/recorder.ts';
import { runBuild } from '../stages/build/apply.ts';
import { createSampler } from '../stages/observe/sampler.ts';
import { reconcilePromotion } from '../stages/promote/apply.ts';
import { createPromotion } from '../stages/promote/create.ts';
import { reconcileRollouts } from '../stages/rollout/apply.ts';
import { reconcileLanes } from '../stages/rollout/lanes.ts';
import { pollService } from '../stages/source/apply.ts';
import { readConfigAt } from '../stages/source/config.ts';
import { fileHeadStore, type HeadStore } from '../support/ledger/head.ts';
import { runSequencer } from '../support/ledger/sequencer.ts';
import { abandon, attest, build, buildDeps } from './build.ts';
import type { Machine } from './machine.ts';
import { type ReleaseDeps, reconcileRelease } from './releases.ts';
import { firstEnvironments, promoteDeps, releaseCreation, rolloutDeps, sourceDeps } from './wire.ts';

/** Repositories are looked at this often when no webhook comes. */
const POLL_SOURCES_MS = 15_000;
const ROLLOUT_TICK_MS = 100;
const ANALYZE_TICK_MS = 1_000;
const SAMPLE_TICK_MS = 1_000;
const LANE_TICK_MS = 3_000;
/** A ledger that does not fit its head is looked at again this often: a person may have restored it. */
const TAMPERED_RECHECK_MS = 5_000;

export function queueTasks(machine: Machine): Record<string, TaskHandler> {
  // Not waited for: the sandbox is tried out meanwhile, and rollouts do not need it.
  const builds = buildDeps(machine);
  builds.catch((error) => machine.log.error({ err: error }, 'nothing can be built'));
  const promotions = promoteDeps(machine);
  const sources = sourceDeps(machine);
  const { database, clock, git } = machine;
  const releases = (signal: AbortSignal): ReleaseDeps => ({
    ...releaseCreation(machine),
    database,
    log: machine.log,
    readConfig: async (service, sha) => {
      const { config, digest } = await readConfigAt(git, mirrorOf(git, service), sha, {
        name: service,
        platform: (await machine.platform()).config,
      });
      return { config, digest };
    },
    build: async (id, buildSignal) => build(await builds, id, buildSignal),
    abandon: async (releaseId, error) => abandon(await builds, releaseId, error),
    attest: (releaseId, artifact) => attest(machine, releaseId, artifact, signal),
    // No scanner is configured: nothing is attached, and nothing pretends to have scanned.
    scan: async () => {},
    promoteFirst: async (tx, { id, service, digest }) => {
      for (const environment of firstEnvironments((await machine.platform()).config)) {
        await createPromotion(promotions, tx, {
          service,
          environment,
          digest,
          releaseId: id,
          kind: 'planned',
          actor: `policy:${environment}`,
          reason: null,
        });
      }
    },
  });
  return {
    source: async (service, signal) => {
      await pollService(sources, service, signal);
      await wakeLater(database, 'source', service, clock.nowMs() + POLL_SOURCES_MS);
    },
    release: (id, signal) => reconcileRelease(releases(signal), id, signal),
    build: async (id, signal) => void (await runBuild(await builds, id, signal)),
    promotion: (id) => reconcilePromotion(promotions, id),
  };
}

/** Outside the database: by it a database that was cut or is an old backup is found out. */
export function ledgerHeads(data: DataDirectory): HeadStore {
  return fileHeadStore(join(data.keys, 'ledger-head'));
}

/**
 * Puts the entries of all transactions into the log. A log that does not fit its remembered head gets no entry more, until
 * it fits again: what is under way can be brought to its end, but nothing new is signed and so nothing new passes a gate.
 */
export async function sequenceLoop(machine: Machine, signal: AbortSignal): Promise<void> {
  const { database, ledger: signer, clock, log, data } = machine;
  const heads = ledgerHeads(data);
  while (!signal.aborted) {
    try {
      await runSequencer({ database, signer, clock, log, heads, signal });
    } catch (error) {
      if (!isSlipwayError(error) || error.code !== 'tampered') throw error;
      const { code, message, hint } = error;
      log.error({ loop: 'ledger', code, hint }, `the ledger is refused: ${message}`);
      await sleep(TAMPERED_RECHECK_MS, signal);
    }
  }
}

export async function rolloutLoop(machine: Machine, signal: AbortSignal): Promise<void> {
  const deps = rolloutDeps(machine);
  await forever(machine, 'rollouts', ROLLOUT_TICK_MS, signal, async () => {
    while ((await reconcileRollouts(deps)) >= 500 && !signal.aborted);
  });
}

/** Lanes in which nothing moves are looked after too: a router or an agent may have lost its state. */
export async function laneLoop(machine: Machine, signal: AbortSignal): Promise<void> {
  const deps = rolloutDeps(machine);
  const memory = new Map();
  await forever(machine, 'lanes', LANE_TICK_MS, signal, () => reconcileLanes(deps, memory));
}

export async function analyzeLoop(machine: Machine, signal: AbortSignal): Promise<void> {
  const { database, clock, log, router } = machine;
  const deps = { database, clock, log, history: historyRecorder(), stats: () => router.stats() };
  await forever(machine, 'analyses', ANALYZE_TICK_MS, signal, () => reconcileAnalyses(deps));
}

export async function sampleLoop(machine: Machine, signal: AbortSignal): Promise<void> {
  const sampler = createSampler(machine.database);
  await forever(machine, 'samples', SAMPLE_TICK_MS, signal, async () => {
    const [stats, instances] = await Promise.all([machine.router.stats(), machine.agent.list()]);
    await sampler.record(stats, instances);
  });
}

/** One pass after the other until stopped. What fails is logged once a kind and tried again: rows are the only memory. */
async function forever(
  machine: Machine,
  name: string,
  everyMs: number,
  signal: AbortSignal,
  pass: () => Promise<unknown>,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    try {
      await pass();
      last = '';
    } catch (error) {
      const message = (error as Error).message;
      if (message !== last)
        machine.log.warn(
          { loop: name, code: isSlipwayError(error) ? error.code : undefined, error },
          'a pass failed and is tried again',
        );
      last = message;
      await sleep(everyMs * 3, signal);
    }
    await sleep(everyMs, signal);
  }
}

/** After a start: whatever is not finished is looked at, so that no wake-up can have been lost. */
export async function wakeEverything(machine: Machine): Promise<void> {
  const { database } = machine;
  const wakeAll = async (task: string, sql: string) => {
    for (const { id } of await database.query<{ id: string }>(sql)) await wake(database, task, id);
  };
  await wakeAll('source', 'select name as id from services');
  await wakeAll('release', `select id from releases where status in ('queued', 'building')`);
  await wakeAll(
    'build',
    `select id from builds where purpose = 'verify' and status in ('queued', 'running')`,
  );
  await wakeAll('promotion', 'select id from promotions where ended_at is null');
  await database.query('update rollouts set wake_at = least(wake_at, now()) where ended_at is null');
}
