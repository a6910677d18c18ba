import { inOrder, type StepState, schedule } from '../plan.ts';
import type { RunContext, StepResult } from './context.ts';
import { runStep } from './step.ts';

/**
 * Runs all steps in the order their needs allow, in parallel where free. Resolves with every step's result; rejects when the
 * machine failed, after all running steps were stopped.
 */
export async function runSteps(context: RunContext): Promise<Map<string, StepResult>> {
  const { steps, parallel } = context;
  const halt = new AbortController();
  const signal = AbortSignal.any([context.signal, halt.signal]);
  const states: Record<string, StepState> = Object.fromEntries(
    steps.map(({ name }) => [name, { status: 'waiting', attempts: 0 } satisfies StepState]),
  );
  const results = new Map<string, StepResult>();
  const running = new Map<string, Promise<void>>();
  let failure: { error: unknown } | undefined;

  const settle = async (name: string): Promise<void> => {
    const step = steps.find((candidate) => candidate.name === name);
    if (!step) return;
    try {
      const result = await runStep({ ...context, signal }, step, results);
      results.set(name, result);
      states[name] = { status: result.status, attempts: result.attempts };
    } catch (error) {
      failure ??= { error };
      states[name] = { status: 'cancelled', attempts: 0 };
      halt.abort();
    } finally {
      running.delete(name);
    }
  };
  for (;;) {
    const next = schedule(steps, states, { parallel, stopping: signal.aborted });
    // After a cancellation nothing is judged any more: what has not run is cancelled too.
    for (const { name, because } of signal.aborted ? [] : next.skip) {
      states[name] = { status: 'skipped', attempts: 0 };
      results.set(name, notRun(name, 'skipped', `not run: ${because} did not succeed`));
      await context.onStep(name, { status: 'skipped', problem: `not run: ${because} did not succeed` });
    }
    for (const name of next.start) {
      states[name] = { status: 'running', attempts: 0 };
      running.set(name, settle(name));
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (failure) throw failure.error;
  for (const { name } of inOrder(steps)) {
    if (results.has(name)) continue;
    results.set(name, notRun(name, 'cancelled', 'not run: the build was cancelled'));
    await context.onStep(name, { status: 'cancelled', problem: 'not run: the build was cancelled' });
  }
  return results;
}

function notRun(name: string, status: 'skipped' | 'cancelled', problem: string): StepResult {
  const nothing = { key: null, identity: null, cachedFrom: null, output: null, report: null, exitCode: null };
  return { name, status, attempts: 0, epochS: 0, problem, durationMs: 0, ...nothing };
}
