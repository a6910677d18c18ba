import { isTerminal, type Rollout, type RolloutRequest, type RolloutState } from '../../kernel/rollout.ts';
import { converge } from './converge.ts';
import { carriesNew, type LaneObservation, NO_TRAFFIC_MOVED, sortFleet } from './fleet.ts';
import { finishing, preparing, promoting, rollingBack, stepping } from './phases.ts';
import {
  BLIND_MS,
  CRASH_LIMIT,
  heldMs,
  PAUSE_LIMIT_MS,
  type PhaseInput,
  type PhaseResult,
  type Plan,
  type Situation,
  turnBack,
} from './situation.ts';

const PHASES = { preparing, stepping, promoting, finishing, 'rolling-back': rollingBack } as const;

export function initialState(nowMs: number): RolloutState {
  return {
    phase: 'preparing',
    stepIndex: 0,
    stepSettledAtMs: null,
    phaseEnteredAtMs: nowMs,
    weights: NO_TRAFFIC_MOVED,
    paused: null,
    resumedStep: -1,
    turnedBack: null,
    exposedAtMs: null,
    zeroTrafficAtMs: null,
    drainUntilMs: null,
  };
}

/**
 * One pass of a rollout: pure, total, idempotent on an unchanged situation. It never advances on missing data and never
 * raises the canary once it has turned back; `check.ts` judges its plans independently.
 */
export function plan(rollout: Rollout, before: RolloutState, situation: Situation): Plan {
  if (isTerminal(before.phase)) return { next: before, actions: [], reasons: [], wakeAtMs: null };
  const { nowMs, observation, analysis, outstanding } = situation;
  const asked = applyRequest(before, situation.request, nowMs);
  if (observation === null) {
    const reason = 'the data plane does not answer: holding, nothing advances on missing data';
    return { next: asked, actions: [], reasons: [reason], wakeAtMs: nowMs + BLIND_MS };
  }
  const fleet = sortFleet(rollout, observation.instances, outstanding.stops);
  const seen = { rollout, fleet, observation, analysis, outstanding, nowMs };
  const state = turnBackIfNeeded({ ...seen, state: noteExposure(rollout, asked, observation, nowMs) });
  const phase = PHASES[state.phase as keyof typeof PHASES];
  const result = phase({ ...seen, state });
  const { wanted, reasons } = result;
  const actions = converge({ ...seen, state: result.state, wanted });
  const { next, ended } = endWhenQuiet(state, result, actions.length === 0, nowMs, rollout);
  if (ended) return { next, actions: [], reasons, wakeAtMs: null };
  return { next, actions, reasons, wakeAtMs: result.wakeAtMs };
}

/** After the phase had this much longer than its deadlines, what is left at the data plane is for the lane to heal. */
const QUIET_LIMIT_MS = 60_000;

/** A rollout ends when nothing is left to do: nobody looks after the actions of one that has ended. */
function endWhenQuiet(
  before: RolloutState,
  { state }: PhaseResult,
  quiet: boolean,
  nowMs: number,
  { spec }: Rollout,
): { next: RolloutState; ended: boolean } {
  if (!isTerminal(state.phase)) return { next: state, ended: false };
  const phase = state.turnedBack === null ? 'finishing' : 'rolling-back';
  const phaseEnteredAtMs = before.phase === phase ? before.phaseEnteredAtMs : nowMs;
  const limitMs = (2 * spec.readyDeadlineS + spec.drainS) * 1_000 + QUIET_LIMIT_MS;
  if (quiet || nowMs >= phaseEnteredAtMs + limitMs) return { next: state, ended: true };
  return { next: { ...state, phase, phaseEnteredAtMs }, ended: false };
}

/** The first moment the router was seen to send requests to the new version, whatever came of the pass that asked for it. */
function noteExposure(
  rollout: Rollout,
  state: RolloutState,
  observation: LaneObservation,
  nowMs: number,
): RolloutState {
  if (state.exposedAtMs !== null || !carriesNew(rollout, observation)) return state;
  return { ...state, exposedAtMs: nowMs };
}

const REVERSIBLE = ['preparing', 'stepping', 'promoting'];

function applyRequest(state: RolloutState, request: RolloutRequest | null, nowMs: number): RolloutState {
  if (request === null || !REVERSIBLE.includes(state.phase)) return state;
  const { kind, actor, reason } = request;
  if (kind === 'pause')
    return state.paused ? state : { ...state, paused: { atMs: nowMs, by: actor, reason } };
  if (kind === 'resume') {
    if (state.paused === null) return state;
    // A hold gives the step its full time again: what was measured before the pause may be old.
    const stepSettledAtMs = state.stepSettledAtMs === null ? null : nowMs;
    const held = heldMs(state) + nowMs - state.paused.atMs;
    const next = { ...state, paused: null, resumedStep: state.stepIndex, stepSettledAtMs, heldMs: held };
    return next;
  }
  return turnBack(state, nowMs, `aborted by ${actor}: ${reason}`, actor, 'aborted');
}

/** Everything that ends the way forward, most telling reason first. */
function turnBackIfNeeded(input: PhaseInput): RolloutState {
  const { state, rollout, analysis, fleet, nowMs } = input;
  if (!REVERSIBLE.includes(state.phase)) return state;
  const { spec } = rollout;
  const outcome = state.exposedAtMs === null ? 'failed' : 'rolled-back';
  if (analysis?.verdict === 'fail')
    return turnBack(state, nowMs, `analysis: ${analysis.reason}`, 'policy:analysis', outcome);
  const broken = fleet.canary.find((instance) => instance.state === 'failed');
  if (broken)
    return turnBack(
      state,
      nowMs,
      `instance ${broken.id} failed: ${broken.reason ?? 'no reason given'}`,
      'system:worker',
      outcome,
    );
  const looping = fleet.canary.find((instance) => instance.restarts >= CRASH_LIMIT);
  if (looping) {
    const why = `instance ${looping.id} restarted ${looping.restarts} times: ${looping.reason ?? 'no reason given'}`;
    return turnBack(state, nowMs, why, 'system:worker', outcome);
  }
  if (state.paused) {
    if (nowMs < state.paused.atMs + PAUSE_LIMIT_MS) return state;
    return turnBack(state, nowMs, 'paused for longer than a pause may last', 'system:worker', 'aborted');
  }
  if (nowMs >= rollout.createdAtMs + heldMs(state) + spec.progressDeadlineS * 1_000) {
    return turnBack(
      state,
      nowMs,
      `not finished within ${spec.progressDeadlineS} s`,
      'system:worker',
      outcome,
    );
  }
  return state;
}
