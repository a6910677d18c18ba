import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../../../kernel/canonical.ts';
import type { BuildConfig } from '../../../kernel/config.ts';
import { type Digest, sha256 } from '../../../kernel/digest.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../../platform/process/limits.ts';
import { toolchainVersions } from '../../../platform/process/toolchain.ts';
import type { CacheIndex } from '../cache/index.ts';
import { treeDigest } from '../cache/key.ts';
import type { BuildDeps } from '../deps.ts';
import { sourceAnnotation } from '../image/manifest.ts';
import { readLockedDependencies } from '../lockfile.ts';
import type { LogSink } from '../logs/writer.ts';
import { assertSteps, inOrder } from '../plan.ts';
import type { Material } from '../report.ts';
import type { BuildSubject, StepChange } from '../store.ts';
import { walkTree } from '../tree/walk.ts';
import { type AssembledImage, assembleImage } from './assemble.ts';
import type { StepResult } from './context.ts';
import { runSteps } from './dag.ts';
import { networkSecrets } from './environment.ts';
import type { Variation } from './variation.ts';

export interface Production {
  deps: BuildDeps;
  subject: BuildSubject;
  workDirectory: string;
  cache: CacheIndex;
  variation: Variation;
  signal: AbortSignal;
  /** Called once the configuration is known and sound, before the first step. */
  onSteps(build: BuildConfig): Promise<void>;
  onStep(name: string, change: StepChange): Promise<void>;
  openLog(name: string): Promise<{ sink: LogSink; alreadyBytes: number }>;
}

/** What is known of a build so far; filled in as it goes, so that a failure can still be reported in full. */
export interface Produced {
  build: BuildConfig | null;
  sourceDigest: Digest | null;
  configDigest: Digest | null;
  inputsDigest: Digest | null;
  materials: readonly Material[];
  results: readonly StepResult[];
  image: AssembledImage | null;
}

export function nothingYet(): Produced {
  const unknown = { build: null, sourceDigest: null, configDigest: null, inputsDigest: null };
  return { ...unknown, materials: [], results: [], image: null };
}

export function imageTag(commit: string): string {
  return commit.slice(0, 12);
}

/**
 * From a commit to an image in an OCI layout: export, check, steps, layers. `produced` is filled in on the way. Throws the
 * first failing step as `step_failed`, a cancellation as `cancelled`.
 */
export async function produceImage(production: Production, produced: Produced): Promise<AssembledImage> {
  const { deps, subject, workDirectory, signal } = production;
  const directory = join(workDirectory, 'source');
  await deps.exportTree(subject.service, subject.commit_sha, directory);
  const config = subject.config ?? (await deps.loadConfig(subject.service, subject.commit_sha, directory));
  const toolchain = toolchainVersions(deps.toolchain);
  produced.build = config.build;
  produced.configDigest = sha256(canonicalJson(config.build));
  assertSteps(config.build.steps);
  await production.onSteps(config.build);
  produced.materials = await readLockedDependencies(directory);
  const entries = await walkTree(directory, { globs: null, unlock: false });
  produced.sourceDigest = treeDigest(entries);
  const { sourceDigest, configDigest } = produced;
  produced.inputsDigest = sha256(
    canonicalJson({ sourceDigest, configDigest, toolchain, base: config.build.image.base }),
  );
  assertGoing(signal);
  const context = {
    deps,
    buildId: subject.id,
    service: subject.service,
    commit: subject.commit_sha,
    commitS: Math.floor(subject.committed_at.getTime() / 1000),
    steps: config.build.steps,
    source: { directory, entries },
    workDirectory,
    cache: production.cache,
    toolchain,
    variation: production.variation,
    limits: deps.limits ?? DEFAULT_LIMITS,
    parallel: deps.parallel ?? availableParallelism(),
    secrets: [...deps.secrets(), ...networkSecrets(deps.operatorEnv)],
    signal,
    onStep: production.onStep,
    openLog: production.openLog,
  };
  const results = await runSteps(context);
  produced.results = inOrder(config.build.steps).flatMap(({ name }) => results.get(name) ?? []);
  assertGoing(signal);
  assertSucceeded(produced.results);
  const facts = { source: sourceAnnotation(subject.repository_url), tag: imageTag(subject.commit_sha) };
  produced.image = await assembleImage(context, config.build.image, results, facts);
  return produced.image;
}

export function assertGoing(signal: AbortSignal): void {
  if (signal.aborted) throw new SlipwayError('cancelled', 'the build was cancelled');
}

function assertSucceeded(results: readonly StepResult[]): void {
  const failed = results.find(({ status }) => status === 'failed' || status === 'timed-out');
  if (!failed) return;
  throw new SlipwayError('step_failed', failed.problem ?? `step ${failed.name} failed`, {
    hint: `read its log: /v1/builds/:build/logs?step=${failed.name}`,
    facts: { step: failed.name, exitCode: failed.exitCode ?? -1 },
  });
}
