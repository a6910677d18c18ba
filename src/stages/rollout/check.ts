import { GROUPS, type Group, type InstanceStatus, type RouteBackend } from '../../kernel/dataplane.ts';
import { isTerminal, type Rollout, type RolloutPhase, type RolloutState } from '../../kernel/rollout.ts';
import type { LaneObservation } from './fleet.ts';
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

/** Judges a plan without trusting the planner, and with none of its code: it is applied only when this list is empty. */
export function check(rollout: Rollout, before: RolloutState, situation: Situation, plan: Plan): Violation[] {
  const judged = { rollout, before, situation, plan };
  return RULES.flatMap((rule) => rule(judged));
}

interface Judged {
  rollout: Rollout;
  before: RolloutState;
  situation: Situation;
  plan: Plan;
}

type Rule = (judged: Judged) => Violation[];

function violation(invariant: number, message: string): Violation[] {
  return [{ invariant, message }];
}

const phases: Rule = ({ before, plan: { next, actions, wakeAtMs } }) => {
  if (isTerminal(before.phase)) {
    const changed = JSON.stringify(before) !== JSON.stringify(next) || actions.length > 0;
    return changed ? violation(6, `a terminal rollout (${before.phase}) changes`) : [];
  }
  if (isTerminal(next.phase) !== (wakeAtMs === null))
    return violation(6, `${next.phase} with${wakeAtMs === null ? 'out' : ''} a next look`);
  if (isTerminal(next.phase) && actions.length > 0)
    return violation(6, `ends as ${next.phase} with actions that nobody will look after`);
  if (next.phase === before.phase || WAYS[before.phase].includes(next.phase)) return [];
  // Turning back at once may pass through rolling-back within one pass, when nothing is left to drain.
  const viaBack = WAYS[before.phase].includes('rolling-back') && WAYS['rolling-back'].includes(next.phase);
  return viaBack && next.turnedBack !== null
    ? []
    : violation(6, `no way leads from ${before.phase} to ${next.phase}`);
};

/** Binary fractions of percentages do not add up exactly. */
const TOLERANCE = 1e-6;

const weightsSum: Rule = ({ plan: { next, actions } }) => {
  const all = [next.weights, ...routes(actions).map((route) => route.weights)];
  const sound = all.every((weights) => {
    const values = GROUPS.map((group) => weights[group]);
    const sum = values.reduce((a, b) => a + b, 0);
    return values.every((value) => value >= 0 && value <= 100) && Math.abs(sum - 100) <= TOLERANCE;
  });
  if (!sound) return violation(2, 'weights do not sum to 100');
  const unsaid = all.some((weights) => GROUPS.some((group) => weights[group] !== next.weights[group]));
  return unsaid ? violation(6, 'a route is ordered with weights that the state does not record') : [];
};

const exposure: Rule = ({ rollout, before, situation, plan: { next, actions } }) => {
  const { canary } = next.weights;
  if (before.paused && situation.request?.kind !== 'resume' && canary > before.weights.canary)
    return violation(3, `the canary rises to ${canary} % while the rollout is paused`);
  const matches = routes(actions).some((route) => route.match.length > 0);
  if (matches && next.phase !== 'stepping' && next.phase !== 'promoting')
    return violation(3, `requests are matched to the new version while it is ${next.phase}`);
  if (next.phase !== 'preparing' && next.phase !== 'stepping') return [];
  if (rollout.previousDigest === null) return [];
  const limit =
    next.phase === 'preparing' || rollout.spec.strategy === 'shadow'
      ? 0
      : Math.max(0, ...rollout.spec.steps.slice(0, next.stepIndex + 1).map((step) => step.weight));
  return canary <= limit ? [] : violation(3, `${canary} % is above the step's limit of ${limit} %`);
};

const turningBack: Rule = ({ before, situation, plan: { next } }) => {
  const forward = ['preparing', 'stepping', 'promoting'];
  const seen = situation.observation !== null;
  const failed = situation.analysis?.verdict === 'fail' && forward.includes(before.phase);
  if (failed && seen && next.turnedBack === null) return violation(4, 'goes on after a failed verdict');
  if (next.turnedBack === null)
    return before.turnedBack === null ? [] : violation(4, 'forgets that it turned back');
  const changes =
    before.turnedBack !== null && JSON.stringify(before.turnedBack) !== JSON.stringify(next.turnedBack);
  if (changes) return violation(4, 'the reason for turning back changes');
  if (next.weights.canary > before.weights.canary)
    return violation(4, `the canary rises to ${next.weights.canary} % after turning back`);
  const ahead = [...forward, 'finishing', 'succeeded'].includes(next.phase);
  return ahead ? violation(4, `is ${next.phase} after turning back`) : [];
};

/** Ready instances that a share of the traffic needs: its part of the full size, rounded up. */
function needed(weight: number, fullSize: number): number {
  return Math.ceil((weight / 100) * fullSize);
}

/** A group whose share rises needs ready instances for it, and the router needs to know them. */
const capacityBeforeTraffic: Rule = ({ rollout, before, situation: { observation }, plan }) => {
  const { next, actions } = plan;
  if (observation === null) return actions.length > 0 ? violation(2, 'acts without an observation') : [];
  const ready = new Set(readyIds(observation.instances));
  return (['baseline', 'canary'] as const).flatMap((group) => {
    const weight = next.weights[group];
    if (weight <= before.weights[group] || next.turnedBack !== null) return [];
    const listed = routes(actions).map(({ backends }) => serving(backends, group));
    const need = needed(weight, rollout.spec.instances);
    return listed
      .map((backends) => backends.filter(({ id }) => ready.has(id) && belongs(rollout, id, group)).length)
      .filter((have) => have < need)
      .flatMap((have) => violation(2, `${group} gets ${weight} % with ${have} of ${need} instances ready`));
  });
};

/**
 * What carries traffic keeps the ready instances its share needs: taking one away must not leave too few. One whose stop was
 * ordered is gone already, whatever the router was made to carry by an order that came late.
 */
const capacityKept: Rule = ({ rollout, situation: { observation, outstanding }, plan: { actions } }) => {
  if (observation === null) return [];
  const carried = new Set(
    observation.route?.backends.filter(({ state }) => state === 'serving').map(({ id }) => id),
  );
  return routes(actions).flatMap(({ weights, backends }) =>
    GROUPS.flatMap((group) => {
      const kept = new Set(serving(backends, group).map(({ id }) => id));
      const need = needed(weights[group], rollout.spec.instances);
      if (kept.size >= need) return [];
      const taken = observation.instances.some(
        ({ id, digest, state }) =>
          state === 'ready' &&
          hasRole(rollout, id, digest, group) &&
          carried.has(id) &&
          !kept.has(id) &&
          !outstanding.stops.includes(id),
      );
      const share = `${weights[group]} %`;
      return taken
        ? violation(2, `${group} keeps ${kept.size} of the ${need} instances its ${share} need`)
        : [];
    }),
  );
};

/** Only instances that are there serve, in the role of their version. */
const soundBackends: Rule = ({ rollout, situation: { observation, outstanding }, plan: { actions } }) => {
  const known = new Map(observation?.instances.map((instance) => [instance.id, instance]));
  return routes(actions).flatMap((route) =>
    route.backends.flatMap(({ id, group, digest, port, state }) => {
      const instance = known.get(id);
      if (instance === undefined || instance.port !== port || instance.digest !== digest)
        return violation(2, `the route names ${id}, which is not there`);
      if (state === 'draining') return [];
      if (outstanding.stops.includes(id))
        return violation(7, `${id} serves again after its stop was ordered`);
      if (instance.state !== 'ready' && instance.state !== 'unready')
        return violation(2, `${id} serves while it is ${instance.state}`);
      const right = group === 'canary' ? rollout.digest : rollout.previousDigest;
      return digest === right ? [] : violation(10, `${id} serves as ${group} with another digest`);
    }),
  );
};

const startsRightVersion: Rule = ({ rollout, plan: { actions } }) =>
  actions.flatMap((action) => {
    if (action.kind !== 'start-instance') return [];
    const right = action.group === 'canary' ? rollout.digest : rollout.previousDigest;
    return action.digest === right && belongs(rollout, action.id, action.group)
      ? []
      : violation(10, `starts ${action.id} as ${action.group} with another digest`);
  });

const drainBeforeStop: Rule = ({ before, situation, plan: { next, actions } }) => {
  const { observation, outstanding, nowMs } = situation;
  if (observation === null) return [];
  const drained = [before, next].some((state) => state.drainUntilMs !== null && nowMs >= state.drainUntilMs);
  return actions.flatMap((action) => {
    if (action.kind !== 'stop-instance') return [];
    const backend = observation.route?.backends.find((candidate) => candidate.id === action.id);
    if (backend?.state === 'serving') return violation(2, `stops ${action.id} while the router sends to it`);
    if (drained) return [];
    if (outstanding.route) return violation(7, `stops ${action.id} while a route order may still arrive`);
    const underWay = observation.inFlight[action.id] ?? 0;
    return underWay > 0 ? violation(2, `stops ${action.id} with ${underWay} requests under way`) : [];
  });
};

const missingData: Rule = ({ rollout, before, situation, plan: { next } }) => {
  if (before.phase !== 'stepping') return [];
  const advanced =
    next.phase === 'promoting' || (next.phase === 'stepping' && next.stepIndex > before.stepIndex);
  if (!advanced) return next.stepIndex === before.stepIndex ? [] : violation(3, 'the step goes backwards');
  const { observation, analysis, request, nowMs } = situation;
  if (observation === null) return violation(8, 'advances without an observation');
  if (before.paused && request?.kind !== 'resume') return violation(8, 'advances while paused');
  if (next.stepIndex > before.stepIndex + 1) return violation(3, 'leaves out a step');
  const step = rollout.spec.steps[before.stepIndex];
  if (step === undefined) return [];
  const settledAtMs = before.stepSettledAtMs ?? nowMs;
  if (nowMs < settledAtMs + step.minimumS * 1_000) return violation(3, 'leaves a step before its time');
  if (step.manual && before.resumedStep < before.stepIndex && request?.kind !== 'resume')
    return violation(3, 'leaves a manual step that nobody let pass');
  if (!step.requirePass || rollout.spec.analysis === null) return [];
  if (analysis?.verdict !== 'pass') return violation(8, `advances on ${analysis?.verdict ?? 'no data'}`);
  const oldest = Math.max(settledAtMs, nowMs - rollout.spec.analysis.staleS * 1_000);
  return analysis.atMs < oldest ? violation(8, 'advances on a verdict that is not of this step') : [];
};

const terminalTraffic: Rule = ({
  rollout,
  before,
  situation: { observation, outstanding },
  plan: { next },
}) => {
  if (
    isTerminal(before.phase) ||
    !isTerminal(next.phase) ||
    next.phase === 'cancelled' ||
    next.phase === 'superseded'
  )
    return [];
  if (observation === null) return violation(8, `ends as ${next.phase} without an observation`);
  if (next.phase !== 'succeeded') {
    return next.weights.canary === 0 && !carriesCanary(rollout, observation)
      ? []
      : violation(4, `ends as ${next.phase} with traffic on the new version`);
  }
  const { route, instances } = observation;
  if (outstanding.route || route?.weights.canary !== 100 || next.weights.canary !== 100)
    return violation(2, 'succeeds before the router carries it');
  const left = instances.find(({ id }) => !belongs(rollout, id, 'canary'));
  return left === undefined ? [] : violation(2, `succeeds while ${left.id} is still there`);
};

const RULES: readonly Rule[] = [
  phases,
  weightsSum,
  exposure,
  turningBack,
  capacityBeforeTraffic,
  capacityKept,
  soundBackends,
  startsRightVersion,
  drainBeforeStop,
  missingData,
  terminalTraffic,
];

function routes(actions: readonly Action[]): Extract<Action, { kind: 'route' }>[] {
  return actions.filter((action) => action.kind === 'route');
}

function serving(backends: readonly RouteBackend[], group: Group): RouteBackend[] {
  return backends.filter((backend) => backend.group === group && backend.state === 'serving');
}

function readyIds(instances: readonly InstanceStatus[]): string[] {
  return instances.filter(({ state }) => state === 'ready').map(({ id }) => id);
}

/** Ids of instances that this rollout started say so; the old version's are of any origin. */
function belongs(rollout: Rollout, id: string, group: Group): boolean {
  return id.startsWith(`${rollout.id.slice(-12)}-${group[0]}`);
}

function hasRole(rollout: Rollout, id: string, digest: string, group: Group): boolean {
  if (group !== 'stable') return belongs(rollout, id, group);
  return digest === rollout.previousDigest && !belongs(rollout, id, 'baseline');
}

/** Whether the router gives weight to a group in which an instance of the new version of this rollout serves. */
function carriesCanary(rollout: Rollout, { route }: LaneObservation): boolean {
  if (route === null) return false;
  return GROUPS.some(
    (group) =>
      (route.weights[group] > 0 || route.match.some((match) => match.group === group)) &&
      serving(route.backends, group).some(({ id }) => belongs(rollout, id, 'canary')),
  );
}
