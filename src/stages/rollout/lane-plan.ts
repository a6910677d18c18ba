import type { Group, InstanceStatus, LaneRoute, RouteBackend, Weights } from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { Lane } from '../../kernel/ids.ts';
import { ALL_TO_NEW, instanceId, type LaneObservation, NO_TRAFFIC_MOVED, sameWeights } from './fleet.ts';
import type { Action } from './situation.ts';
import type { LaneRuntime } from './store.ts';

/** A lane in which nothing moves, and what its last takeover left there. */
export interface IdleLane {
  lane: Lane;
  /** null: no version ever took over, so nothing should run. */
  digest: Digest | null;
  /** The rollout that took over, else the last that tried; instances are named after it. */
  rolloutId: string;
  instances: number;
  runtime: LaneRuntime;
  /** The highest epoch handed out for the lane. */
  fence: number;
}

export interface LanePlan {
  actions: readonly Action[];
  /** What differs, for people; empty when nothing does. */
  reasons: readonly string[];
}

/**
 * What an idle lane needs to be again what its last takeover left: missing and failed instances started anew, the route
 * given again, strays drained and stopped. Pure. An instance of the lane's version is never stopped here unless it failed,
 * so a plan that arrives late, when a rollout has begun, takes nothing away from it.
 */
export function planLane(idle: IdleLane, observation: LaneObservation): LanePlan {
  const { instances, route } = observation;
  const sound = instances.filter(
    ({ digest, state }) => digest === idle.digest && state !== 'stopping' && state !== 'failed',
  );
  const others = instances.filter((instance) => !sound.includes(instance) && instance.state !== 'stopping');
  const started = missing(idle, sound.length, instances);
  const desired = desiredRoute(sound, instances, route);
  const routed = route === null ? desired.backends.length > 0 : !sameRoute(desired, route);
  const stopped = others.filter((instance) => mayStop(instance, observation));
  const actions: Action[] = [...started];
  if (routed) actions.push({ kind: 'route', ...desired });
  for (const { id } of stopped) actions.push({ kind: 'stop-instance', id });
  const reasons: string[] = [];
  if (started.length > 0) reasons.push(`${started.length} of ${idle.instances} instances are missing`);
  if (routed) reasons.push(route === null ? 'the router does not know the lane' : 'the route differs');
  if (stopped.length > 0) reasons.push(`${stopped.length} instances do not belong here`);
  return { actions, reasons };
}

function missing(
  { digest, rolloutId, instances }: IdleLane,
  have: number,
  present: readonly InstanceStatus[],
): Action[] {
  if (digest === null) return [];
  const taken = new Set(present.map((instance) => instance.id));
  const actions: Action[] = [];
  for (let n = 1; have + actions.length < instances; n++) {
    const id = instanceId({ id: rolloutId }, 'canary', n);
    if (!taken.has(id)) actions.push({ kind: 'start-instance', id, group: 'stable', digest });
  }
  return actions;
}

type DesiredRoute = Pick<LaneRoute, 'weights' | 'backends' | 'mirror' | 'match'>;

/** All weight on the group that has it now. An instance that is away for a moment keeps its place: the router passes it over. */
function desiredRoute(
  sound: readonly InstanceStatus[],
  present: readonly InstanceStatus[],
  route: LaneRoute | null,
): DesiredRoute {
  const group: Group = route !== null && sameWeights(route.weights, ALL_TO_NEW) ? 'canary' : 'stable';
  const weights: Weights = group === 'canary' ? ALL_TO_NEW : NO_TRAFFIC_MOVED;
  const known = new Map(route?.backends.map((backend) => [backend.id, backend]));
  const backends: RouteBackend[] = [];
  for (const instance of present) {
    const { id, digest, host, port, state } = instance;
    const before = known.get(id);
    if (port === null || (before === undefined && state !== 'ready')) continue;
    const belongs = sound.includes(instance);
    if (!belongs && (before === undefined || state === 'failed' || state === 'exited')) continue;
    const serves = belongs && (state === 'ready' || before?.state === 'serving');
    backends.push({
      id,
      group: belongs ? group : (before?.group ?? group),
      digest,
      host,
      port,
      state: serves ? 'serving' : 'draining',
    });
  }
  return { weights, backends: backends.sort((a, b) => (a.id < b.id ? -1 : 1)), mirror: null, match: [] };
}

function sameRoute(desired: DesiredRoute, actual: DesiredRoute): boolean {
  const lines = ({ backends }: Pick<LaneRoute, 'backends'>) =>
    backends
      .map(({ id, group, host, port, state }) => `${id} ${group} ${host}:${port} ${state}`)
      .sort()
      .join('\n');
  const plain = actual.mirror === null && actual.match.length === 0;
  return plain && sameWeights(desired.weights, actual.weights) && lines(desired) === lines(actual);
}

function mayStop({ id }: InstanceStatus, { route, inFlight }: LaneObservation): boolean {
  const backend = route?.backends.find((candidate) => candidate.id === id);
  return backend?.state !== 'serving' && (inFlight[id] ?? 0) === 0;
}
