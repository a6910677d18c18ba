import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { toolchainVersions } from '../../platform/process/toolchain.ts';
import { openCacheIndex } from './cache/index.ts';
import { openSeal } from './cache/key.ts';
import { trimCache } from './cache/trim.ts';
import type { BuildDeps } from './deps.ts';
import { pushLayout } from './image/push.ts';
import { logPosition, storeLog } from './logs/store.ts';
import type { LogSink } from './logs/writer.ts';
import { type BuildOutcome, type BuildReport, outcomeOf } from './report.ts';
import { makeReport, repositoryOf } from './run/describe.ts';
import { withBuildLock } from './run/lock.ts';
import { assertGoing, imageTag, nothingYet, type Produced, produceImage } from './run/produce.ts';
import { STANDARD } from './run/variation.ts';
import { watchCancel } from './run/watch.ts';
import {
  type BuildSubject,
  markFinished,
  markRunning,
  readBuild,
  readCancel,
  readSubject,
  resetSteps,
  updateStep,
} from './store.ts';
import { removeTree } from './tree/remove.ts';
import { verifyBuild } from './verify.ts';

const ACTOR = 'system:worker';

/**
 * Runs a build to its end and gives its report; a finished build gives the report it has. Safe to call again after a crash
 * at any point: the same build goes on from the cache. Rejects only with failures that may vanish (database or registry
 * unreachable, disk full): the build then stays `running` for the next call. Errors: `not_found`, `conflict` when
 * another worker runs it.
 */
export async function runBuild(deps: BuildDeps, buildId: string, signal: AbortSignal): Promise<BuildOutcome> {
  return withBuildLock(deps.database, buildId, async () => {
    const subject = await readSubject(deps.database, buildId);
    if (!subject) throw new SlipwayError('not_found', `there is no build ${buildId}`);
    if (subject.report) return outcomeOf(subject.report);
    const workDirectory = join(deps.dataDirectory, 'work', buildId);
    const watch = watchCancel(deps.database, subject, signal);
    const startedAtMs = await begin(deps, subject);
    try {
      await removeTree(workDirectory);
      await mkdir(workDirectory, { recursive: true, mode: 0o700 });
      const report = await attempt(deps, subject, {
        workDirectory,
        startedAtMs,
        signal: watch.signal,
        outside: signal,
      });
      return outcomeOf(await finish(deps, report));
    } finally {
      watch.stop();
      await removeTree(workDirectory).catch((error: unknown) =>
        deps.log.warn({ error, buildId }, 'work directory left'),
      );
    }
  });
}

/**
 * Ends a build that cannot be completed, with the reason: for whoever gives up after too many attempts. A finished build
 * stays as it is.
 */
export async function abandonBuild(
  deps: BuildDeps,
  buildId: string,
  error: unknown,
): Promise<BuildOutcome | null> {
  const subject = await readSubject(deps.database, buildId);
  if (!subject) return null;
  if (subject.report) return outcomeOf(subject.report);
  const startedAtMs = subject.started_at?.getTime() ?? deps.clock.nowMs();
  const report = makeReport(deps, subject, nothingYet(), { startedAtMs, error, pushedBytes: 0 });
  return outcomeOf(await finish(deps, report));
}

/** Takes the build out of the queue, once; a build found running was interrupted and goes on under the same id. */
async function begin(deps: BuildDeps, subject: BuildSubject): Promise<number> {
  const atMs = deps.clock.nowMs();
  await deps.database.transaction(async (tx) => {
    const facts = { sandbox: deps.sandbox.kind, toolchain: toolchainVersions(deps.toolchain), atMs };
    if (!(await markRunning(tx, subject.id, facts))) return;
    const { service, id, commit_sha: commit, purpose } = subject;
    const data = { commit, purpose, sandbox: deps.sandbox.kind };
    await deps.append(tx, { kind: 'build.started', atMs, actor: ACTOR, service, subject: id, data });
  });
  return subject.started_at?.getTime() ?? atMs;
}

interface Attempt {
  workDirectory: string;
  startedAtMs: number;
  /** Aborts on a request to cancel and when the worker stops. */
  signal: AbortSignal;
  /** Aborts when the worker stops. */
  outside: AbortSignal;
}

/** The report of this attempt; rejects when it should be made again. */
async function attempt(deps: BuildDeps, subject: BuildSubject, run: Attempt): Promise<BuildReport> {
  const produced = nothingYet();
  let pushedBytes = 0;
  try {
    assertGoing(run.signal);
    if (subject.purpose === 'verify') {
      const verify = await verifyBuild(deps, subject, run, produced);
      return {
        ...makeReport(deps, subject, produced, { ...run, error: null, pushedBytes }),
        image: null,
        verify,
      };
    }
    const image = await produceRelease(deps, subject, run, produced);
    assertGoing(run.signal);
    const target = {
      layout: image.layout,
      repository: repositoryOf(deps, subject),
      tag: imageTag(subject.commit_sha),
    };
    const pushed = await pushLayout(
      deps.registry,
      target,
      { manifest: image.documents.manifest, blobs: image.blobs },
      run.signal,
    );
    pushedBytes = pushed.pushedBytes;
    return makeReport(deps, subject, produced, { ...run, error: null, pushedBytes });
  } catch (error) {
    const cancelled = run.signal.aborted && (await cancelRequested(deps, subject));
    // A worker that is told to stop leaves the build to the next one.
    if (run.outside.aborted && !cancelled) throw error;
    if (cancelled) {
      const reason = new SlipwayError(
        'cancelled',
        `cancelled by ${await readCancel(deps.database, subject.id)}`,
      );
      return makeReport(deps, subject, produced, { ...run, error: reason, pushedBytes });
    }
    if (!isSlipwayError(error) || error.retryable) throw asFailure(error);
    return makeReport(deps, subject, produced, { ...run, error, pushedBytes });
  }
}

async function produceRelease(deps: BuildDeps, subject: BuildSubject, run: Attempt, produced: Produced) {
  const cacheDirectory = join(deps.dataDirectory, 'cache', 'build');
  const cache = await openCacheIndex(cacheDirectory, await openSeal(deps.dataDirectory, deps.clock));
  const { database } = deps;
  const image = await produceImage(
    {
      deps,
      subject,
      workDirectory: run.workDirectory,
      cache,
      variation: STANDARD,
      signal: run.signal,
      onSteps: (build) => database.transaction((tx) => resetSteps(tx, subject.id, build.steps)),
      onStep: (name, change) => updateStep(database, subject.id, name, change),
      openLog: (name) => openStepLog(deps, subject.id, name),
    },
    produced,
  );
  await trimCache(cacheDirectory, deps.clock.nowMs());
  return image;
}

async function openStepLog(
  deps: BuildDeps,
  build: string,
  step: string,
): Promise<{ sink: LogSink; alreadyBytes: number }> {
  const { next, bytes } = await logPosition(deps.database, build, step);
  let sequence = next;
  const sink: LogSink = (text) =>
    storeLog(deps.database, { build, step, sequence: sequence++, text, atMs: deps.clock.nowMs() });
  return { sink, alreadyBytes: bytes };
}

async function finish(deps: BuildDeps, report: BuildReport): Promise<BuildReport> {
  const { buildId, service, commit, status, image, sandbox, inputsDigest, cacheHits, error } = report;
  const digest = image?.digest ?? null;
  return deps.database.transaction(async (tx) => {
    if (!(await markFinished(tx, buildId, report))) return (await readBuild(tx, buildId))?.report ?? report;
    const actor = status === 'cancelled' ? ((await readCancel(tx, buildId)) ?? ACTOR) : ACTOR;
    const verdict = report.verify ? { verdict: report.verify.verdict } : {};
    const problem = error ? { problem: error.message.slice(0, 1_000), code: error.code } : {};
    await deps.append(tx, {
      kind: 'build.finished',
      atMs: report.finishedAtMs,
      actor,
      service,
      subject: buildId,
      data: {
        commit,
        purpose: report.purpose,
        status,
        digest,
        sandbox: sandbox.kind,
        inputsDigest,
        cacheHits,
        ...verdict,
        ...problem,
      },
    });
    return report;
  });
}

async function cancelRequested(deps: BuildDeps, subject: BuildSubject): Promise<boolean> {
  return (await readCancel(deps.database, subject.id)) !== null;
}

function asFailure(error: unknown): unknown {
  if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException)?.code ?? '')) return error;
  return new SlipwayError('disk_full', 'no disk left for the build', {
    cause: error,
    hint: 'free some space below the data directory',
  });
}
