import type { Group, InstanceStatus, LaneRoute, RouteBackend } from '../../kernel/dataplane.ts';
import type { Rollout, RolloutState } from '../../kernel/rollout.ts';
import {
  alive,
  digestOf,
  type Fleet,
  instanceId,
  type LaneObservation,
  ready,
  sameWeights,
  type Wanted,
} from './fleet.ts';
import type { Action } from './situation.ts';

/**
 * The difference between what is wanted and what is there, as actions. Order within one pass: start capacity, change the
 * route, and only then stop what the router (as observed, not as asked) no longer uses.
 */
export function converge(
  rollout: Rollout,
  state: RolloutState,
  wanted: Wanted,
  fleet: Fleet,
  observation: LaneObservation,
  nowMs: number,
): Action[] {
  const surplus = surplusInstances(wanted, fleet);
  const route = desiredRoute(rollout, state, fleet, observation, surplus);
  const actions: Action[] = [...starts(rollout, wanted, fleet)];
  if (!sameRoute(route, observation.route)) actions.push({ kind: 'route', ...route });
  for (const instance of surplus) {
    if (mayStop(instance, state, observation, nowMs))
      actions.push({ kind: 'stop-instance', id: instance.id });
  }
  return actions;
}

function starts(rollout: Rollout, wanted: Wanted, fleet: Fleet): Action[] {
  const actions: Action[] = [];
  for (const group of ['canary', 'baseline'] as const) {
    const known = new Set(fleet[group].map((instance) => instance.id));
    for (let n = 1; n <= wanted[group]; n++) {
      const id = instanceId(rollout, group, n);
      if (!known.has(id))
        actions.push({ kind: 'start-instance', id, group, digest: digestOf(rollout, group) });
    }
  }
  const missing = rollout.previousDigest === null ? 0 : wanted.stable - alive(fleet.stable).length;
  const taken = new Set(fleet.stable.map((instance) => instance.id));
  for (let n = 1, started = 0; started < missing; n++) {
    const id = instanceId(rollout, 'stable', n);
    if (taken.has(id)) continue;
    actions.push({ kind: 'start-instance', id, group: 'stable', digest: digestOf(rollout, 'stable') });
    started++;
  }
  return actions;
}

/** Instances beyond what is wanted: not-ready ones first, then the youngest. Strays always. */
function surplusInstances(wanted: Wanted, fleet: Fleet): InstanceStatus[] {
  const surplus = [...fleet.strays];
  for (const group of ['stable', 'canary', 'baseline'] as const) {
    const ranked = [...fleet[group]].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
    surplus.push(...ranked.slice(wanted[group]));
  }
  return surplus.filter((instance) => instance.state !== 'stopping');
}

function rank(instance: InstanceStatus): number {
  return instance.state === 'ready' ? 0 : alive([instance]).length > 0 ? 1 : 2;
}

function desiredRoute(
  rollout: Rollout,
  state: RolloutState,
  fleet: Fleet,
  observation: LaneObservation,
  surplus: readonly InstanceStatus[],
): Pick<LaneRoute, 'weights' | 'backends' | 'mirror'> {
  const leaving = new Set(surplus.map((instance) => instance.id));
  const routed = new Map(observation.route?.backends.map((backend) => [backend.id, backend]));
  const backends: RouteBackend[] = [];
  const add = (group: Group, instances: readonly InstanceStatus[]) => {
    const anyReady = ready(instances).some((instance) => !leaving.has(instance.id));
    for (const instance of instances) {
      const { id, digest, host, port } = instance;
      if (port === null || ['exited', 'failed', 'pulling', 'starting'].includes(instance.state)) continue;
      const known = routed.has(id);
      if (instance.state !== 'ready' && !known) continue;
      const keeps = instance.state === 'ready' || (instance.state === 'unready' && !anyReady);
      backends.push({
        id,
        group,
        digest,
        host,
        port,
        state: keeps && !leaving.has(id) ? 'serving' : 'draining',
      });
    }
  };
  add('stable', [...fleet.stable, ...fleet.strays]);
  add('baseline', fleet.baseline);
  add('canary', fleet.canary);
  backends.sort((a, b) => (a.id < b.id ? -1 : 1));
  const percent = rollout.spec.steps[state.stepIndex]?.weight ?? 0;
  const mirrors = rollout.spec.strategy === 'shadow' && state.phase === 'stepping' && percent > 0;
  return { weights: state.weights, backends, mirror: mirrors ? { group: 'canary', percent } : null };
}

function sameRoute(
  desired: Pick<LaneRoute, 'weights' | 'backends' | 'mirror'>,
  actual: LaneRoute | null,
): boolean {
  if (actual === null) return desired.backends.length === 0;
  if (!sameWeights(desired.weights, actual.weights)) return false;
  if (desired.mirror?.percent !== actual.mirror?.percent) return false;
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

/** Only what the router is seen not to send to: unknown to it, or draining with nothing under way (or past the drain time). */
function mayStop(
  instance: InstanceStatus,
  state: RolloutState,
  observation: LaneObservation,
  nowMs: number,
): boolean {
  const backend = observation.route?.backends.find((candidate) => candidate.id === instance.id);
  if (backend === undefined) return true;
  if (backend.state !== 'draining') return false;
  const underWay = observation.inFlight[instance.id] ?? 0;
  return underWay === 0 || (state.drainUntilMs !== null && nowMs >= state.drainUntilMs);
}
