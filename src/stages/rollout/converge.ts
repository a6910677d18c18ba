import { canonicalJson } from '../../kernel/canonical.ts';
import {
  GROUPS,
  type Group,
  type InstanceStatus,
  type LaneRoute,
  type RouteBackend,
  type Weights,
} from '../../kernel/dataplane.ts';
import { matchesIn, type Rollout, type RolloutState } from '../../kernel/rollout.ts';
import {
  alive,
  digestOf,
  type Fleet,
  instanceId,
  type LaneObservation,
  ready,
  sameWeights,
  surplusInstances,
  type Wanted,
} from './fleet.ts';
import type { Action, Outstanding } from './situation.ts';

export interface ConvergeInput {
  rollout: Rollout;
  state: RolloutState;
  wanted: Wanted;
  fleet: Fleet;
  observation: LaneObservation;
  outstanding: Outstanding;
  nowMs: number;
}

/**
 * The difference between what is wanted and what is there, as actions. Order within one pass: start capacity, change the
 * route, and only then stop what the router (as observed, not as asked) no longer uses.
 */
export function converge(input: ConvergeInput): Action[] {
  const { observation, outstanding, fleet } = input;
  const surplus = surplusInstances(input.wanted, fleet);
  const route = desiredRoute(input, surplus);
  const actions: Action[] = [...starts(input)];
  // An older order may still arrive: the newest one is given again until it is seen.
  if (outstanding.route || !sameRoute(route, observation.route)) actions.push({ kind: 'route', ...route });
  for (const instance of [...surplus, ...fleet.leaving]) {
    if (instance.state !== 'stopping' && mayStop(instance, input))
      actions.push({ kind: 'stop-instance', id: instance.id });
  }
  return actions;
}

function starts({ rollout, wanted, fleet }: ConvergeInput): Action[] {
  const actions: Action[] = [];
  const leaving = fleet.leaving.map((instance) => instance.id);
  for (const group of ['canary', 'baseline'] as const) {
    const known = new Set([...leaving, ...fleet[group].map((instance) => instance.id)]);
    for (let n = 1; n <= wanted[group]; n++) {
      const id = instanceId(rollout, group, n);
      if (!known.has(id))
        actions.push({ kind: 'start-instance', id, group, digest: digestOf(rollout, group) });
    }
  }
  const missing = rollout.previousDigest === null ? 0 : wanted.stable - alive(fleet.stable).length;
  const taken = new Set([...leaving, ...fleet.stable.map((instance) => instance.id)]);
  for (let n = 1, started = 0; started < missing; n++) {
    const id = instanceId(rollout, 'stable', n);
    if (taken.has(id)) continue;
    actions.push({ kind: 'start-instance', id, group: 'stable', digest: digestOf(rollout, 'stable') });
    started++;
  }
  return actions;
}

type DesiredRoute = Pick<LaneRoute, 'weights' | 'backends' | 'mirror' | 'match'>;

function desiredRoute(
  { rollout, state, fleet, observation }: ConvergeInput,
  surplus: readonly InstanceStatus[],
): DesiredRoute {
  const going = new Set(surplus.map((instance) => instance.id));
  const routed = new Map(observation.route?.backends.map((backend) => [backend.id, backend]));
  const { weights } = state;
  const backends: RouteBackend[] = [];
  for (const group of GROUPS) {
    const staying = fleet[group].filter((instance) => !going.has(instance.id));
    // Before it has all the capacity it needs, a first version gets nothing, not even what finds no other way.
    const closed = group === 'canary' && rollout.previousDigest === null && weights.canary === 0;
    const lastResort = group === mainGroup(weights) && ready(staying).length === 0;
    for (const instance of fleet[group]) {
      const stays = !closed && !going.has(instance.id);
      const serves = stays && (instance.state === 'ready' || (lastResort && instance.state === 'unready'));
      addBackend(backends, instance, group, serves, routed);
    }
  }
  for (const instance of [...fleet.strays, ...fleet.leaving])
    addBackend(backends, instance, routed.get(instance.id)?.group ?? 'stable', false, routed);
  backends.sort((a, b) => (a.id < b.id ? -1 : 1));
  const percent = rollout.spec.steps[state.stepIndex]?.weight ?? 0;
  const mirrors = rollout.spec.strategy === 'shadow' && state.phase === 'stepping' && percent > 0;
  const match = matchesIn(state.phase, rollout.spec.routing);
  return { weights, backends, match, mirror: mirrors ? { group: 'canary', percent } : null };
}

/** What does not serve is listed only while the router knows it, so that its requests under way are seen to their end. */
function addBackend(
  backends: RouteBackend[],
  { id, digest, host, port, state }: InstanceStatus,
  group: Group,
  serves: boolean,
  routed: ReadonlyMap<string, RouteBackend>,
): void {
  if (port === null || ['exited', 'failed', 'pulling', 'starting'].includes(state)) return;
  if (!serves && !routed.has(id)) return;
  backends.push({ id, group, digest, host, port, state: serves ? 'serving' : 'draining' });
}

/**
 * The group most requests go to. Only there an instance that is not ready is better than none: elsewhere the router falls
 * back to this group.
 */
function mainGroup(weights: Weights): Group {
  return GROUPS.reduce((best, group) => (weights[group] > weights[best] ? group : best), 'stable');
}

function sameRoute(desired: DesiredRoute, actual: LaneRoute | null): boolean {
  if (actual === null) return false;
  if (!sameWeights(desired.weights, actual.weights)) return false;
  if (desired.mirror?.percent !== actual.mirror?.percent) return false;
  if (canonicalJson(desired.match) !== canonicalJson(actual.match)) return false;
  const have = new Map(actual.backends.map((backend) => [backend.id, backend]));
  if (have.size !== desired.backends.length) return false;
  return desired.backends.every((backend) => {
    const other = have.get(backend.id);
    return (
      other?.group === backend.group &&
      other.state === backend.state &&
      other.port === backend.port &&
      other.host === backend.host
    );
  });
}

/**
 * Only what the router is seen not to send to, and no order that is still on its way can make it: unknown to it or
 * draining, with nothing under way or past the drain time.
 */
function mayStop(
  instance: InstanceStatus,
  { state, observation, outstanding, nowMs }: ConvergeInput,
): boolean {
  const drained = state.drainUntilMs !== null && nowMs >= state.drainUntilMs;
  if (outstanding.route && !drained) return false;
  const backend = observation.route?.backends.find((candidate) => candidate.id === instance.id);
  if (backend?.state === 'serving') return false;
  return drained || (observation.inFlight[instance.id] ?? 0) === 0;
}
