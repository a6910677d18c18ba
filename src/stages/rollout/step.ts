import type { RolloutState } from '../../kernel/rollout.ts';
import { HOLD_MS, type PhaseInput, POLL_MS } from './situation.ts';

export type StepDecision =
  | { kind: 'advance'; reason: string }
  | { kind: 'hold'; state: RolloutState; reason: string; wakeAtMs: number }
  | { kind: 'turn-back'; reason: string };

/**
 * Whether a settled step may be left: nobody holds it, its time has passed, its capacity stands (`short`: it does not),
 * and the evidence it asks for is there.
 */
export function decideStep({ rollout, state, analysis, nowMs }: PhaseInput, short: boolean): StepDecision {
  const step = rollout.spec.steps[state.stepIndex];
  const settledAtMs = state.stepSettledAtMs ?? nowMs;
  if (state.paused)
    return hold(state, `paused by ${state.paused.by}: ${state.paused.reason}`, nowMs + HOLD_MS);
  if (step === undefined) return { kind: 'advance', reason: 'no step left' };
  const readyAtMs = settledAtMs + step.minimumS * 1_000;
  if (nowMs < readyAtMs) {
    const seconds = Math.ceil((readyAtMs - nowMs) / 1_000);
    return hold(
      state,
      `holding at ${step.weight} % for ${seconds} s more`,
      Math.min(readyAtMs, nowMs + HOLD_MS),
    );
  }
  if (step.manual && state.resumedStep < state.stepIndex) {
    const reason = `step ${state.stepIndex + 1} waits for a person`;
    return hold(
      { ...state, paused: { atMs: nowMs, by: 'policy:strategy', reason } },
      reason,
      nowMs + HOLD_MS,
    );
  }
  const overdue = nowMs >= settledAtMs + step.deadlineS * 1_000;
  if (short) {
    const reason = `not all instances of the step are ready at ${step.weight} %`;
    return overdue ? { kind: 'turn-back', reason } : hold(state, reason, nowMs + POLL_MS);
  }
  if (!step.requirePass || rollout.spec.analysis === null)
    return { kind: 'advance', reason: `${step.weight} % held without a fail` };
  // Only a fresh verdict formed at this weight counts; missing data is never a pass.
  const freshSinceMs = Math.max(settledAtMs, nowMs - rollout.spec.analysis.staleS * 1_000);
  if (analysis?.verdict === 'pass' && analysis.atMs >= freshSinceMs) {
    return { kind: 'advance', reason: `pass at ${step.weight} %: ${analysis.reason}` };
  }
  if (!overdue) {
    const waiting = `waiting for evidence at ${step.weight} %: ${analysis?.reason ?? 'no data yet'}`;
    return hold(state, waiting, nowMs + HOLD_MS);
  }
  const reason = `inconclusive after ${step.deadlineS} s at ${step.weight} %: ${analysis?.reason ?? 'no data'}`;
  if (rollout.spec.onInconclusive === 'rollback') return { kind: 'turn-back', reason };
  return hold({ ...state, paused: { atMs: nowMs, by: 'policy:strategy', reason } }, reason, nowMs + HOLD_MS);
}

function hold(state: RolloutState, reason: string, wakeAtMs: number): StepDecision {
  return { kind: 'hold', state, reason, wakeAtMs };
}
