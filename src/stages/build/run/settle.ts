import type { BuildStepConfig } from '../../../kernel/config.ts';
import { isSlipwayError, SlipwayError } from '../../../kernel/errors.ts';
import type { CommandResult } from '../../../platform/process/run.ts';
import { storeStep } from '../cache/steps.ts';
import { maskAll } from '../logs/mask.ts';
import type { LogWriter } from '../logs/writer.ts';
import type { AttemptOutcome } from '../plan.ts';
import type { TestReport } from '../reports/types.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { RunContext, StepOutput, StepResult } from './context.ts';
import { collectOutputs, readReport } from './outputs.ts';

/** A step on its way: what follows from its inputs before anything runs. */
export interface PreparedStep {
  step: BuildStepConfig;
  visible: readonly TreeEntry[];
  epochS: number;
  result: StepResult;
  cacheable: boolean;
}

/** How one attempt ended. */
export interface Judgement {
  outcome: AttemptOutcome;
  problem: string | null;
  output: StepOutput | null;
  report: TestReport | null;
}

/** What the end of the command, its report and its outputs say together. */
export async function judge(
  context: RunContext,
  prepared: PreparedStep,
  tree: string,
  ended: CommandResult,
  log: LogWriter,
): Promise<Judgement> {
  const { step } = prepared;
  const lost = { output: null, report: null };
  if (ended.end === 'cancelled')
    return { outcome: 'cancelled', problem: `step ${step.name} was cancelled`, ...lost };
  if (ended.end === 'timed-out') {
    const problem = `step ${step.name} did not end within ${step.timeoutS} s and was stopped`;
    await log.note(problem);
    return { outcome: 'timed-out', problem, ...lost };
  }
  try {
    const report = await readReport(step, tree, context.secrets).catch((error: unknown) => {
      if (ended.exitCode === 0) throw error;
      return null;
    });
    if (ended.exitCode !== 0) {
      const problem = failureOf(context, step, ended, report, log.tail());
      return { outcome: 'failed', problem, output: null, report };
    }
    if (step.report && !report)
      throw new SlipwayError('step_failed', `step ${step.name} wrote no test report to ${step.report.path}`);
    return {
      outcome: 'succeeded',
      problem: null,
      output: await keep(context, prepared, tree, report),
      report,
    };
  } catch (error) {
    if (!isSlipwayError(error) || error.retryable) throw error;
    const problem = maskAll(
      `step ${step.name}: ${error.message}${error.hint ? ` (${error.hint})` : ''}`,
      context.secrets,
    );
    await log.note(problem);
    return { outcome: 'failed', problem, ...lost };
  }
}

/** Outputs stay in the step's tree for this build, and go to the cache for later ones. */
async function keep(
  context: RunContext,
  { step, result, cacheable }: PreparedStep,
  tree: string,
  report: TestReport | null,
): Promise<StepOutput> {
  const entries = await collectOutputs(step, tree);
  if (cacheable && result.key !== null && !context.signal.aborted) {
    const counts = report && {
      passed: report.passed,
      failed: report.failed,
      skipped: report.skipped,
      failedNames: report.failedNames,
    };
    const facts = { report: counts, buildId: context.buildId, atMs: context.deps.clock.nowMs() };
    await storeStep(context.cache, result.key, { entries, tree }, facts);
  }
  return { entries, origin: { kind: 'directory', path: tree } };
}

function failureOf(
  context: RunContext,
  step: BuildStepConfig,
  ended: CommandResult,
  report: TestReport | null,
  tail: string,
): string {
  const code = ended.exitCode ?? 0;
  const how = ended.signal
    ? `was killed by ${ended.signal}`
    : code > 128
      ? `was killed by signal ${code - 128}`
      : `failed with exit code ${code}`;
  const tests =
    report && report.failed > 0
      ? `; ${report.failed} tests failed: ${report.failedNames.slice(0, 5).join(', ')}`
      : '';
  const lines = tail
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const last = lines.length > 0 ? `; its last output: ${lines.slice(-3).join(' | ').slice(-400)}` : '';
  const narrow = step.inputs.length > 0 && code !== 0 ? ' (the step sees only the inputs it declares)' : '';
  return maskAll(`step ${step.name} ${how}${tests}${last}${narrow}`, context.secrets);
}
