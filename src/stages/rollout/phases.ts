import type { RolloutState } from '../../kernel/rollout.ts';
import {
  ALL_TO_NEW,
  anyServing,
  capacityFor,
  carriesNew,
  NO_TRAFFIC_MOVED,
  ready,
  rest,
  sameWeights,
  settled,
  stableSize,
  stepWanted,
  stepWeights,
  surplusInstances,
  type Wanted,
} from './fleet.ts';
import { HOLD_MS, type PhaseInput, type PhaseResult, POLL_MS, turnBack } from './situation.ts';
import { decideStep } from './step.ts';

/** Capacity for the first step starts; no traffic moves before all of it is ready. */
export function preparing(input: PhaseInput): PhaseResult {
  const { rollout, state, nowMs } = input;
  const first = rollout.previousDigest === null;
  const wanted = first ? fullSize(input) : wantedAtStep(input, 0);
  const { short, counts } = capacity(input, wanted);
  if (!short) {
    const next = enter(state, first ? 'promoting' : 'stepping', nowMs);
    return { state: next, wanted, reasons: ['capacity is ready'], wakeAtMs: nowMs };
  }
  if (isLate(input)) return notReady(input);
  return { state, wanted, reasons: [`starting instances: ${counts} ready`], wakeAtMs: nowMs + POLL_MS };
}

/** At one step of the ramp: capacity, then weight, then the weight seen at the router, then time and evidence. */
export function stepping(input: PhaseInput): PhaseResult {
  const { rollout, observation, outstanding, nowMs } = input;
  let { state } = input;
  const wanted = wantedAtStep(input, state.stepIndex);
  const target = stepWeights(rollout, state.stepIndex);
  const { short } = capacity(input, wanted);
  if (!sameWeights(state.weights, target)) {
    if (state.paused) return paused(input, wanted);
    if (short) return waitForCapacity(input, wanted);
    state = { ...state, weights: target };
  }
  if (!settled(state, observation, outstanding)) {
    // The step's time counts only while the router carries it.
    if (state.stepSettledAtMs !== null) state = { ...state, stepSettledAtMs: null };
    const reasons = [`moving to ${target.canary} %`];
    return { state, wanted, reasons, wakeAtMs: nowMs + POLL_MS };
  }
  if (state.stepSettledAtMs === null) state = { ...state, stepSettledAtMs: nowMs };
  const decision = decideStep({ ...input, state }, short);
  if (decision.kind === 'turn-back') {
    const turned = turnBack(state, nowMs, decision.reason, 'policy:strategy', outcomeOf(state));
    return rollingBack({ ...input, state: turned });
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
  const { rollout, fleet, observation, outstanding, nowMs } = input;
  let { state } = input;
  const wanted = fullSize(input);
  if (state.paused) return paused(input, wanted);
  if (ready(fleet.canary).length < rollout.spec.instances) return waitForCapacity(input, wanted);
  if (!sameWeights(state.weights, ALL_TO_NEW)) state = { ...state, weights: ALL_TO_NEW };
  if (!settled(state, observation, outstanding))
    return { state, wanted, reasons: ['moving all traffic to the new version'], wakeAtMs: nowMs + POLL_MS };
  const next = { ...enter(state, 'finishing', nowMs), exposedAtMs: state.exposedAtMs ?? nowMs };
  return { state: next, wanted, reasons: ['all traffic is on the new version'], wakeAtMs: nowMs };
}

/** The old instances drain and stop; from here on the way back is a rollout of its own. */
export function finishing(input: PhaseInput): PhaseResult {
  const { rollout, fleet, observation, outstanding, nowMs } = input;
  let { state } = input;
  const wanted = { stable: 0, baseline: 0, canary: rollout.spec.instances };
  const old = [...fleet.stable, ...fleet.baseline, ...fleet.strays, ...fleet.leaving];
  state = drain(input, state, wanted);
  if (!settled(state, observation, outstanding))
    return {
      state,
      wanted,
      reasons: ['the router takes the new version up again'],
      wakeAtMs: nowMs + POLL_MS,
    };
  const { short, counts } = capacity(input, wanted);
  if (old.length === 0 && (!short || isLate(input))) {
    const reasons = ['the new version has taken over'];
    return { state: enter(state, 'succeeded', nowMs), wanted, reasons, wakeAtMs: nowMs };
  }
  const reasons = [
    old.length > 0 ? `draining ${old.length} old instances` : `replacing instances: ${counts} ready`,
  ];
  return { state, wanted, reasons, wakeAtMs: nowMs + POLL_MS };
}

/** Traffic returns to the old version as fast as its capacity allows; then the new instances drain and stop. */
export function rollingBack(input: PhaseInput): PhaseResult {
  const { rollout, fleet, observation, nowMs } = input;
  let { state } = input;
  const why = state.turnedBack?.reason ?? 'turned back';
  const hasOld = rollout.previousDigest !== null;
  const weights = hasOld ? weightsOnTheWayBack(input) : NO_TRAFFIC_MOVED;
  if (!sameWeights(state.weights, weights)) state = { ...state, weights };
  const atZero = isAtZero({ ...input, state });
  const wanted = {
    stable: hasOld ? stableSize(rollout, fleet) : 0,
    canary: atZero ? 0 : fleet.canary.length,
    baseline: atZero ? 0 : fleet.baseline.length,
  };
  if (!atZero) {
    state = undrained(state);
    const reasons = [why, `returning traffic: ${weights.canary} % left`];
    return { state, wanted, reasons, wakeAtMs: nowMs + POLL_MS };
  }
  const zeroTrafficAtMs = state.zeroTrafficAtMs ?? nowMs;
  if (state.zeroTrafficAtMs === null) state = { ...state, zeroTrafficAtMs };
  const going = [...fleet.canary, ...fleet.baseline, ...fleet.strays, ...fleet.leaving];
  state = drain(input, state, wanted);
  // The old version may be beyond help (its image gone): that ends the rollout too, late but surely.
  const late = nowMs >= zeroTrafficAtMs + rollout.spec.readyDeadlineS * 1_000;
  const restored = ready(fleet.stable).length >= wanted.stable || late;
  if (going.length === 0 && restored && !carriesNew(rollout, observation)) {
    const terminal = state.turnedBack?.terminal ?? 'rolled-back';
    return { state: enter(state, terminal, nowMs), wanted, reasons: [why], wakeAtMs: nowMs };
  }
  const waiting =
    going.length > 0
      ? `draining ${going.length} instances`
      : `restoring the old version: ${ready(fleet.stable).length} of ${wanted.stable} ready`;
  return { state, wanted, reasons: [why, waiting], wakeAtMs: nowMs + POLL_MS };
}

/**
 * Seen at 0 %. A router that refuses every route (its port is taken, say) never confirms one; then what it is seen to do
 * counts once the deadline has passed.
 */
function isAtZero(input: PhaseInput): boolean {
  const { rollout, state, observation, outstanding } = input;
  if (state.weights.canary > 0 || carriesNew(rollout, observation)) return false;
  return state.zeroTrafficAtMs !== null || settled(state, observation, outstanding) || isLate(input);
}

/**
 * The drain time runs from when the router is seen to give nothing new to any of those that leave, and anew when one more
 * has to leave that served until now, or when an older order may have made one serve unseen.
 */
function drain(input: PhaseInput, state: RolloutState, wanted: Wanted): RolloutState {
  const { rollout, fleet, observation, outstanding, nowMs } = input;
  const unknown = outstanding.route && !isLate(input);
  if (unknown || anyServing(surplusInstances(wanted, fleet), observation)) return undrained(state);
  if (state.drainUntilMs !== null) return state;
  return { ...state, drainUntilMs: nowMs + rollout.spec.drainS * 1_000 };
}

function undrained(state: RolloutState): RolloutState {
  return state.drainUntilMs === null ? state : { ...state, drainUntilMs: null };
}

/**
 * At once when the old version kept its full size; else the share its ready instances can carry, until the ready deadline
 * passes: then all of it, because the decision against the new version stands.
 */
function weightsOnTheWayBack(input: PhaseInput): RolloutState['weights'] {
  const { spec } = input.rollout;
  const old = ready(input.fleet.stable).length;
  if (isLate(input) || (old > 0 && spec.strategy !== 'rolling')) return NO_TRAFFIC_MOVED;
  const possible = Math.min(100, Math.floor((100 * old) / spec.instances));
  const canary = Math.min(input.state.weights.canary, 100 - possible);
  return { stable: rest(canary), baseline: 0, canary };
}

function enter(state: RolloutState, phase: RolloutState['phase'], nowMs: number): RolloutState {
  return { ...state, phase, phaseEnteredAtMs: nowMs, stepSettledAtMs: null };
}

function outcomeOf(state: RolloutState): 'failed' | 'rolled-back' {
  return state.exposedAtMs === null ? 'failed' : 'rolled-back';
}

/**
 * The versions' shares while a step holds. A rolling strategy gives old capacity back as it goes: never more than the
 * largest share the old version has, is being given, or is seen to carry.
 */
function wantedAtStep(input: PhaseInput, stepIndex: number): Wanted {
  const { rollout, fleet, state, observation, outstanding } = input;
  const { spec } = rollout;
  const full = stableSize(rollout, fleet);
  const carried = outstanding.route ? 100 : (observation.route?.weights.stable ?? 100);
  const share = Math.max(carried, state.weights.stable, stepWeights(rollout, stepIndex).stable);
  const shrinks = spec.strategy === 'rolling' && full === spec.instances;
  return { ...stepWanted(rollout, stepIndex), stable: shrinks ? capacityFor(share, full) : full };
}

/** Both versions at full size: nothing of the old is given up before the new one carries everything. */
function fullSize({ rollout, fleet }: PhaseInput): Wanted {
  const hasOld = rollout.previousDigest !== null;
  const stable = rollout.spec.strategy === 'rolling' ? fleet.stable.length : stableSize(rollout, fleet);
  return {
    stable: hasOld ? stable : 0,
    canary: rollout.spec.instances,
    baseline: hasOld ? fleet.baseline.length : 0,
  };
}

function capacity({ fleet }: PhaseInput, wanted: Wanted): { short: boolean; counts: string } {
  const canary = ready(fleet.canary).length;
  const baseline = ready(fleet.baseline).length;
  return {
    short: canary < wanted.canary || baseline < wanted.baseline,
    counts: `${canary} of ${wanted.canary} new, ${baseline} of ${wanted.baseline} baseline`,
  };
}

function paused({ state, nowMs }: PhaseInput, wanted: Wanted): PhaseResult {
  const reasons = [`paused by ${state.paused?.by}: ${state.paused?.reason}`];
  return { state, wanted, reasons, wakeAtMs: nowMs + HOLD_MS };
}

function waitForCapacity(input: PhaseInput, wanted: Wanted): PhaseResult {
  const { state, nowMs } = input;
  if (isLate(input)) return notReady(input);
  const reasons = [`waiting for capacity: ${capacity(input, wanted).counts} ready`];
  return { state, wanted, reasons, wakeAtMs: nowMs + POLL_MS };
}

/** The phase has had its time to get capacity. */
function isLate({ rollout, state, nowMs }: PhaseInput): boolean {
  return nowMs >= state.phaseEnteredAtMs + rollout.spec.readyDeadlineS * 1_000;
}

function notReady(input: PhaseInput): PhaseResult {
  const { rollout, state, fleet, nowMs } = input;
  const stuck = [...fleet.canary, ...fleet.baseline].find((instance) => instance.state !== 'ready');
  const detail = stuck ? `: ${stuck.id} is ${stuck.state}${stuck.reason ? ` (${stuck.reason})` : ''}` : '';
  const reason = `not ready within ${rollout.spec.readyDeadlineS} s${detail}`;
  return rollingBack({ ...input, state: turnBack(state, nowMs, reason, 'system:worker', outcomeOf(state)) });
}
