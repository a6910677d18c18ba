import { GROUPS } from '../../kernel/dataplane.ts';
import { isTerminal, type Rollout, type RolloutPhase, type RolloutState } from '../../kernel/rollout.ts';
import { capacityFor, ready, sortFleet } from './fleet.ts';
import type { Action, Plan, Situation } from './situation.ts';

/** One broken rule: its number in ARCHITECTURE.md, and what was about to happen. */
export interface Violation {
  invariant: number;
  message: string;
}

const WAYS: Readonly<Record<RolloutPhase, readonly RolloutPhase[]>> = {
  preparing: ['stepping', 'promoting', 'rolling-back', 'cancelled', 'superseded'],
  stepping: ['promoting', 'rolling-back'],
  promoting: ['finishing', 'rolling-back'],
  finishing: ['succeeded'],
  'rolling-back': ['rolled-back', 'aborted', 'failed'],
  succeeded: [],
  'rolled-back': [],
  aborted: [],
  failed: [],
  cancelled: [],
  superseded: [],
};

/** Judges a plan without trusting the planner: it is applied only when this list is empty. */
export function check(rollout: Rollout, before: RolloutState, situation: Situation, plan: Plan): Violation[] {
  const rules = [
    phases,
    weightsSum,
    exposure,
    noRiseAfterTurningBack,
    capacityBeforeTraffic,
    drainBeforeStop,
    missingData,
    terminalTraffic,
  ];
  return rules.flatMap((rule) => rule(rollout, before, situation, plan));
}

type Rule = (rollout: Rollout, before: RolloutState, situation: Situation, plan: Plan) => Violation[];

function violation(invariant: number, message: string): Violation[] {
  return [{ invariant, message }];
}

const phases: Rule = (_rollout, before, _situation, { next, actions }) => {
  if (isTerminal(before.phase)) {
    const changed = JSON.stringify(before) !== JSON.stringify(next) || actions.length > 0;
    return changed ? violation(6, `a terminal rollout (${before.phase}) changes`) : [];
  }
  if (next.phase === before.phase || WAYS[before.phase].includes(next.phase)) return [];
  // Turning back at once may pass through rolling-back within one pass, when nothing is left to drain.
  const viaBack = WAYS[before.phase].includes('rolling-back') && WAYS['rolling-back'].includes(next.phase);
  return viaBack && next.turnedBack !== null
    ? []
    : violation(6, `no way leads from ${before.phase} to ${next.phase}`);
};

const weightsSum: Rule = (_rollout, _before, _situation, { next, actions }) => {
  const all = [next.weights, ...routes(actions).map((route) => route.weights)];
  const sound = all.every((weights) => {
    const values = GROUPS.map((group) => weights[group]);
    return values.every((value) => value >= 0 && value <= 100) && values.reduce((a, b) => a + b, 0) === 100;
  });
  return sound ? [] : violation(2, 'weights do not sum to 100');
};

const exposure: Rule = (rollout, _before, _situation, { next }) => {
  if (next.phase !== 'preparing' && next.phase !== 'stepping') return [];
  if (rollout.previousDigest === null) return [];
  const limit =
    next.phase === 'preparing'
      ? 0
      : Math.max(0, ...rollout.spec.steps.slice(0, next.stepIndex + 1).map((step) => step.weight));
  return next.weights.canary <= limit
    ? []
    : violation(3, `${next.weights.canary} % is above the step's limit of ${limit} %`);
};

const noRiseAfterTurningBack: Rule = (_rollout, before, _situation, { next }) => {
  if (next.turnedBack === null) return [];
  const rises = next.weights.canary > before.weights.canary;
  const forgets =
    before.turnedBack !== null && JSON.stringify(before.turnedBack) !== JSON.stringify(next.turnedBack);
  if (forgets) return violation(4, 'the reason for turning back changes');
  return rises ? violation(4, `the canary rises to ${next.weights.canary} % after turning back`) : [];
};

/** A group whose share rises needs ready instances for it, and the router needs to know them. */
const capacityBeforeTraffic: Rule = (rollout, _before, { observation }, { next, actions }) => {
  if (observation === null) return actions.length > 0 ? violation(2, 'acts without an observation') : [];
  const fleet = sortFleet(rollout, observation.instances);
  const carried = observation.route?.weights ?? { stable: 0, baseline: 0, canary: 0 };
  return routes(actions).flatMap((route) =>
    GROUPS.flatMap((group) => {
      const rises = route.weights[group] > carried[group];
      if (!rises || group === 'stable') return [];
      const serving = route.backends.filter(
        (backend) => backend.group === group && backend.state === 'serving',
      ).length;
      const need = Math.min(
        capacityFor(route.weights[group], rollout.spec.instances),
        rollout.spec.instances,
      );
      const have = Math.min(serving, ready(fleet[group]).length);
      const label = `${group} gets ${route.weights[group]} % with ${have} of ${need} instances ready`;
      return have >= need || next.turnedBack !== null ? [] : violation(2, label);
    }),
  );
};

const drainBeforeStop: Rule = (_rollout, before, { observation, nowMs }, { next, actions }) => {
  if (observation === null) return [];
  const drained = [before, next].some((state) => state.drainUntilMs !== null && nowMs >= state.drainUntilMs);
  return actions.flatMap((action) => {
    if (action.kind !== 'stop-instance') return [];
    const backend = observation.route?.backends.find((candidate) => candidate.id === action.id);
    if (backend === undefined) return [];
    if (backend.state === 'serving') return violation(2, `stops ${action.id} while the router sends to it`);
    const underWay = observation.inFlight[action.id] ?? 0;
    return underWay > 0 && !drained
      ? violation(2, `stops ${action.id} with ${underWay} requests under way`)
      : [];
  });
};

const missingData: Rule = (rollout, before, situation, { next }) => {
  if (before.phase !== 'stepping') return [];
  const advanced =
    next.phase === 'promoting' || (next.phase === 'stepping' && next.stepIndex > before.stepIndex);
  if (!advanced) return [];
  if (situation.observation === null) return violation(8, 'advances without an observation');
  const step = rollout.spec.steps[before.stepIndex];
  if (before.paused && situation.request?.kind !== 'resume') return violation(8, 'advances while paused');
  if (!step?.requirePass || rollout.spec.analysis === null) return [];
  return situation.analysis?.verdict === 'pass'
    ? []
    : violation(8, `advances on ${situation.analysis?.verdict ?? 'no data'}`);
};

const terminalTraffic: Rule = (rollout, _before, { observation }, { next }) => {
  if (!isTerminal(next.phase) || rollout.previousDigest === null) return [];
  const weights = observation?.route?.weights;
  if (next.phase === 'succeeded')
    return weights?.canary === 100 ? [] : violation(2, 'succeeds before the router carries it');
  if (next.phase === 'cancelled' || next.phase === 'superseded') return [];
  return next.weights.canary === 0 && (weights?.canary ?? 0) === 0
    ? []
    : violation(4, `ends as ${next.phase} with traffic on the new version`);
};

function routes(actions: readonly Action[]): Extract<Action, { kind: 'route' }>[] {
  return actions.filter((action) => action.kind === 'route');
}
