import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../../kernel/canonical.ts';
import type { BuildStepConfig } from '../../../kernel/config.ts';
import { type Digest, sha256 } from '../../../kernel/digest.ts';
import type { CommandResult } from '../../../platform/process/run.ts';
import { mayCache, stepKey, treeDigest } from '../cache/key.ts';
import { findStep, readOutputs, type StoredStep, writeOutputs } from '../cache/steps.ts';
import { compileGlob, matchesAny } from '../glob.ts';
import { createLogWriter, type LogWriter } from '../logs/writer.ts';
import { afterAttempt, ancestorsOf } from '../plan.ts';
import { overlay } from '../tree/entry.ts';
import { type Origin, placeTree } from '../tree/place.ts';
import { removeTree } from '../tree/remove.ts';
import type { RunContext, StepOutput, StepResult } from './context.ts';
import { networkMounts, stepEnvironment } from './environment.ts';
import { stepEpoch } from './epoch.ts';
import { judge, type PreparedStep } from './settle.ts';

/**
 * Runs one step, or takes its outputs from the cache. Resolves with how it ended, also when the command failed; rejects only
 * when the machine failed (database, disk), which says nothing about the step.
 */
export async function runStep(
  context: RunContext,
  step: BuildStepConfig,
  results: ReadonlyMap<string, StepResult>,
): Promise<StepResult> {
  const startedAtMs = context.deps.clock.nowMs();
  const prepared = await prepare(context, step, results);
  await context.onStep(step.name, { status: 'running', startedAtMs, cacheKey: prepared.result.key });
  const { sink, alreadyBytes } = await context.openLog(step.name);
  const log = createLogWriter(sink, context.secrets, { alreadyBytes });
  const result =
    (await fromCache(context, prepared, log)) ?? (await runAttempts(context, prepared, results, log));
  await log.end();
  const finishedAtMs = context.deps.clock.nowMs();
  const { status, exitCode, problem } = result;
  await context.onStep(step.name, { status, exitCode, problem, finishedAtMs });
  return { ...result, durationMs: finishedAtMs - startedAtMs };
}

async function prepare(
  context: RunContext,
  step: BuildStepConfig,
  results: ReadonlyMap<string, StepResult>,
): Promise<PreparedStep> {
  const needs = step.needs.map((name) => results.get(name));
  const globs = step.inputs.map(compileGlob);
  // A step that declares its inputs sees nothing else of the source: what is not in the key cannot be in the outputs.
  const visible =
    globs.length === 0
      ? context.source.entries
      : context.source.entries.filter(({ path }) => matchesAny(globs, path));
  const { epochS, known } = await stepEpoch(
    context,
    step,
    needs.map((need) => need?.epochS ?? 0),
  );
  const key = stepKey(step, {
    entries: visible,
    needs: identities(needs),
    toolchain: context.toolchain,
    sandbox: context.deps.sandbox.kind,
    epochS: known ? epochS : null,
  });
  const cacheable = mayCache(step, visible);
  const result: StepResult = {
    name: step.name,
    status: 'running',
    attempts: 0,
    key: cacheable ? key : null,
    identity: cacheable ? key : null,
    epochS,
    cachedFrom: null,
    output: null,
    report: null,
    exitCode: null,
    problem: null,
    durationMs: 0,
  };
  return { step, visible, epochS, result, cacheable };
}

function identities(needs: readonly (StepResult | undefined)[]): Record<string, Digest> {
  const found: Record<string, Digest> = {};
  for (const need of needs) if (need?.identity) found[need.name] = need.identity;
  return found;
}

async function fromCache(
  context: RunContext,
  { step, result, cacheable }: PreparedStep,
  log: LogWriter,
): Promise<StepResult | null> {
  if (!cacheable || result.key === null) return null;
  const found = await findStep(context.cache, result.key, context.deps.clock.nowMs());
  if (found.kind === 'dropped') await log.note(`${found.reason}; it was removed, the step runs`);
  if (found.kind !== 'hit') return null;
  await log.note(`taken from the cache: ran in build ${found.value.buildId}`);
  const { report, buildId } = found.value;
  return {
    ...result,
    status: 'cached',
    cachedFrom: buildId,
    output: await archivedOutput(context, found.value),
    report: report && step.report ? { step: step.name, format: step.report.format, ...report } : null,
  };
}

async function archivedOutput(context: RunContext, stored: StoredStep): Promise<StepOutput> {
  const entries = await readOutputs(context.cache, stored);
  const origin: Origin = {
    kind: 'archive',
    write: (wanted, destination) => writeOutputs(context.cache, stored, wanted, destination),
  };
  return { entries, origin };
}

async function runAttempts(
  context: RunContext,
  prepared: PreparedStep,
  results: ReadonlyMap<string, StepResult>,
  log: LogWriter,
): Promise<StepResult> {
  const { step, result } = prepared;
  for (let attempt = 1; ; attempt++) {
    const directory = join(context.workDirectory, 'steps', step.name);
    await removeTree(directory);
    const tree = await layOut(context, prepared, results, directory);
    const ended = await runCommandOf(context, prepared, directory, tree, log);
    const judged = await judge(context, prepared, tree, ended, log);
    const next = afterAttempt(step, attempt, judged.outcome);
    if (next === 'retry' && !context.signal.aborted) {
      await log.note(`${judged.problem ?? 'the step failed'}; attempt ${attempt + 1} of ${step.retries + 1}`);
      continue;
    }
    const status = next === 'retry' ? 'cancelled' : next;
    return {
      ...result,
      status,
      attempts: attempt,
      identity: result.identity ?? identityOf(judged.output, step, results),
      output: judged.output,
      report: judged.report,
      exitCode: ended.exitCode,
      problem: judged.problem,
    };
  }
}

/** Of a step that is not cached: the content it left, and the same of all it stands on. */
function identityOf(
  output: StepOutput | null,
  step: BuildStepConfig,
  results: ReadonlyMap<string, StepResult>,
): Digest | null {
  if (!output) return null;
  const needs = identities(step.needs.map((name) => results.get(name)));
  return sha256(canonicalJson({ outputs: treeDigest(output.entries), needs }));
}

/** The step's own copy of what it may see: its part of the source under the outputs of all steps it stands on. */
async function layOut(
  context: RunContext,
  { step, visible, epochS }: PreparedStep,
  results: ReadonlyMap<string, StepResult>,
  directory: string,
): Promise<string> {
  const { owner } = context.deps.sandbox;
  const source = {
    entries: visible,
    origin: { kind: 'directory', path: context.source.directory } as Origin,
  };
  const outputs = ancestorsOf(context.steps, step.name).flatMap(
    ({ name }) => results.get(name)?.output ?? [],
  );
  const tree = join(directory, 'tree');
  await mkdir(directory, { recursive: true });
  await placeTree(tree, overlay([source, ...outputs]), {
    mtimeS: epochS,
    owner,
    reversed: context.variation.reversed,
  });
  for (const name of ['scratch', 'scratch/home', 'scratch/tmp']) {
    await mkdir(join(directory, name));
    if (owner) await chown(join(directory, name), owner.uid, owner.gid);
  }
  return tree;
}

async function runCommandOf(
  context: RunContext,
  { step, epochS }: PreparedStep,
  directory: string,
  tree: string,
  log: LogWriter,
): Promise<CommandResult> {
  const { deps, variation } = context;
  const { sandbox, operatorEnv } = deps;
  const mounts = step.network
    ? await networkMounts(deps.dataDirectory, context.service, sandbox.owner, operatorEnv)
    : [];
  return sandbox.run(
    {
      command: step.run,
      env: stepEnvironment(step, variation, epochS, operatorEnv),
      source: { host: tree, inside: variation.source },
      scratch: join(directory, 'scratch'),
      homeInside: variation.home,
      mounts,
      network: step.network,
      hostname: variation.hostname,
      umask: variation.umask,
      cpus: variation.cpus,
      limits: context.limits,
    },
    { timeoutMs: step.timeoutS * 1000, signal: context.signal, onOutput: (chunk) => log.write(chunk) },
  );
}
