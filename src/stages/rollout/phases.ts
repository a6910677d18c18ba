import type { RolloutState } from '../../kernel/rollout.ts';
import {
  ALL_TO_NEW,
  capacityFor,
  NO_TRAFFIC_MOVED,
  ready,
  sameWeights,
  settled,
  stepWanted,
  stepWeights,
} from './fleet.ts';
import { HOLD_MS, type PhaseInput, type PhaseResult, POLL_MS, turnBack } from './situation.ts';
import { decideStep } from './step.ts';

/** Capacity for the first step starts; no traffic moves before all of it is ready. */
export function preparing(input: PhaseInput): PhaseResult {
  const { rollout, state, fleet, nowMs } = input;
  const first = rollout.previousDigest === null;
  const wanted = first ? fullSize(input) : stepWanted(rollout, 0);
  const haveCanary = ready(fleet.canary).length >= wanted.canary;
  const haveBaseline = ready(fleet.baseline).length >= wanted.baseline;
  if (haveCanary && haveBaseline) {
    const next = enter(state, first ? 'promoting' : 'stepping', nowMs);
    return { state: next, wanted, reasons: ['capacity is ready'], wakeAtMs: nowMs };
  }
  if (nowMs >= state.phaseEnteredAtMs + rollout.spec.readyDeadlineS * 1_000) return notReady(input);
  const counts = `${ready(fleet.canary).length} of ${wanted.canary} new, ${ready(fleet.baseline).length} of ${wanted.baseline} baseline`;
  return { state, wanted, reasons: [`starting instances: ${counts} ready`], wakeAtMs: nowMs + POLL_MS };
}

/** At one step of the ramp: capacity, then weight, then the weight seen at the router, then time and evidence. */
export function stepping(input: PhaseInput): PhaseResult {
  const { rollout, fleet, observation, nowMs } = input;
  let { state } = input;
  const wanted = stepWanted(rollout, state.stepIndex);
  const target = stepWeights(rollout, state.stepIndex);
  if (!sameWeights(state.weights, target)) {
    const short =
      ready(fleet.canary).length < wanted.canary || ready(fleet.baseline).length < wanted.baseline;
    if (short) return waitForCapacity(input, wanted);
    state = { ...state, weights: target };
  }
  if (!settled(state, observation)) {
    const reasons = [`moving to ${target.canary} %`];
    return { state, wanted, reasons, wakeAtMs: nowMs + POLL_MS };
  }
  if (state.stepSettledAtMs === null) {
    const exposedAtMs = state.exposedAtMs ?? (target.canary > 0 ? nowMs : null);
    state = { ...state, stepSettledAtMs: nowMs, exposedAtMs };
  }
  const decision = decideStep({ ...input, state });
  if (decision.kind === 'turn-back') {
    return rollingBack({
      ...input,
      state: turnBack(state, nowMs, decision.reason, 'policy:strategy', 'rolled-back'),
    });
  }
  if (decision.kind === 'hold')
    return { state: decision.state, wanted, reasons: [decision.reason], wakeAtMs: decision.wakeAtMs };
  const last = state.stepIndex + 1 >= rollout.spec.steps.length;
  const moved = last
    ? enter(state, 'promoting', nowMs)
    : enter({ ...state, stepIndex: state.stepIndex + 1 }, 'stepping', nowMs);
  return { state: moved, wanted, reasons: [decision.reason], wakeAtMs: nowMs };
}

/** The new version grows to the full size, then takes all traffic. */
export function promoting(input: PhaseInput): PhaseResult {
  const { rollout, fleet, observation, nowMs } = input;
  let { state } = input;
  const wanted = fullSize(input);
  if (state.paused)
    return {
      state,
      wanted,
      reasons: [`paused by ${state.paused.by}: ${state.paused.reason}`],
      wakeAtMs: nowMs + HOLD_MS,
    };
  if (ready(fleet.canary).length < rollout.spec.instances) return waitForCapacity(input, wanted);
  state = { ...state, weights: ALL_TO_NEW };
  if (!settled(state, observation))
    return { state, wanted, reasons: ['moving all traffic to the new version'], wakeAtMs: nowMs + POLL_MS };
  const next = {
    ...enter(state, 'finishing', nowMs),
    exposedAtMs: state.exposedAtMs ?? nowMs,
    drainUntilMs: nowMs + rollout.spec.drainS * 1_000,
  };
  return { state: next, wanted, reasons: ['all traffic is on the new version'], wakeAtMs: nowMs };
}

/** The old instances drain and stop; from here on the way back is a rollout of its own. */
export function finishing(input: PhaseInput): PhaseResult {
  const { rollout, state, fleet, nowMs } = input;
  const wanted = { stable: 0, baseline: 0, canary: rollout.spec.instances };
  const left = fleet.stable.length + fleet.baseline.length + fleet.strays.length;
  if (left === 0)
    return {
      state: enter(state, 'succeeded', nowMs),
      wanted,
      reasons: ['the new version has taken over'],
      wakeAtMs: nowMs,
    };
  return { state, wanted, reasons: [`draining ${left} old instances`], wakeAtMs: nowMs + POLL_MS };
}

/** Traffic returns to the old version as fast as its capacity allows; then the new instances drain and stop. */
export function rollingBack(input: PhaseInput): PhaseResult {
  const { rollout, fleet, observation, nowMs } = input;
  let { state } = input;
  const why = state.turnedBack?.reason ?? 'turned back';
  const hasOld = rollout.previousDigest !== null;
  const weights = hasOld ? weightsOnTheWayBack(input) : NO_TRAFFIC_MOVED;
  state = { ...state, weights };
  const atZero = weights.canary === 0 && (settled(state, observation) || !hasOld);
  const keep = atZero ? 0 : fleet.canary.length;
  const wanted = {
    stable: hasOld ? rollout.spec.instances : 0,
    canary: keep,
    baseline: atZero ? 0 : fleet.baseline.length,
  };
  if (!atZero)
    return {
      state,
      wanted,
      reasons: [why, `returning traffic: ${weights.canary} % left`],
      wakeAtMs: nowMs + POLL_MS,
    };
  if (state.zeroTrafficAtMs === null) {
    state = { ...state, zeroTrafficAtMs: nowMs, drainUntilMs: nowMs + rollout.spec.drainS * 1_000 };
  }
  const left = fleet.canary.length + fleet.baseline.length + fleet.strays.length;
  const restored = !hasOld || ready(fleet.stable).length > 0;
  if (left === 0 && restored) {
    const terminal = state.turnedBack?.terminal ?? 'rolled-back';
    return { state: enter(state, terminal, nowMs), wanted, reasons: [why], wakeAtMs: nowMs };
  }
  return { state, wanted, reasons: [why, `draining ${left} instances`], wakeAtMs: nowMs + POLL_MS };
}

/**
 * At once when the old version kept its full size; else the share its ready instances can carry, until the ready deadline
 * passes: then all of it, because the decision against the new version stands.
 */
function weightsOnTheWayBack({ rollout, state, fleet, nowMs }: PhaseInput): RolloutState['weights'] {
  const { spec } = rollout;
  const old = ready(fleet.stable).length;
  const overdue = nowMs >= state.phaseEnteredAtMs + spec.readyDeadlineS * 1_000;
  if (overdue || (old > 0 && spec.strategy !== 'rolling')) return NO_TRAFFIC_MOVED;
  const possible = Math.min(100, Math.floor((100 * old) / spec.instances));
  const canary = Math.min(state.weights.canary, 100 - possible);
  return { stable: 100 - canary, baseline: 0, canary };
}

function enter(state: RolloutState, phase: RolloutState['phase'], nowMs: number): RolloutState {
  return { ...state, phase, phaseEnteredAtMs: nowMs, stepSettledAtMs: null };
}

/** Both versions at full size: nothing of the old is given up before the new one carries everything. */
function fullSize({ rollout, fleet }: PhaseInput): PhaseResult['wanted'] {
  const hasOld = rollout.previousDigest !== null;
  const rolling = rollout.spec.strategy === 'rolling';
  const stable = rolling
    ? Math.min(fleet.stable.length, capacityFor(100, rollout.spec.instances))
    : rollout.spec.instances;
  return {
    stable: hasOld ? stable : 0,
    canary: rollout.spec.instances,
    baseline: hasOld ? fleet.baseline.length : 0,
  };
}

function waitForCapacity(input: PhaseInput, wanted: PhaseResult['wanted']): PhaseResult {
  const { rollout, state, fleet, nowMs } = input;
  if (nowMs >= state.phaseEnteredAtMs + rollout.spec.readyDeadlineS * 1_000) return notReady(input);
  const reasons = [
    `waiting for capacity: ${ready(fleet.canary).length} of ${wanted.canary} new instances ready`,
  ];
  return { state, wanted, reasons, wakeAtMs: nowMs + POLL_MS };
}

function notReady(input: PhaseInput): PhaseResult {
  const { rollout, state, fleet, nowMs } = input;
  const stuck = [...fleet.canary, ...fleet.baseline].find((instance) => instance.state !== 'ready');
  const detail = stuck ? `: ${stuck.id} is ${stuck.state}${stuck.reason ? ` (${stuck.reason})` : ''}` : '';
  const terminal = state.exposedAtMs === null ? 'failed' : 'rolled-back';
  const reason = `not ready within ${rollout.spec.readyDeadlineS} s${detail}`;
  return rollingBack({ ...input, state: turnBack(state, nowMs, reason, 'system:worker', terminal) });
}
