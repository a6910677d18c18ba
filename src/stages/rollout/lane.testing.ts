import type { InstanceStatus, LaneRoute } from '../../kernel/dataplane.ts';
import type { Rollout, RolloutState } from '../../kernel/rollout.ts';
import type { LaneObservation } from './fleet.ts';
import { initialState, plan } from './plan.ts';
import { instanceOf, OLD, rolloutOf, specOf } from './rollout.testing.ts';
import type { Action, Plan, Situation } from './situation.ts';

/** For tests of the pure part: one lane whose data plane obeys each plan at once, and time that a test moves. */
export interface Scene {
  rollout: Rollout;
  state: RolloutState;
  nowMs: number;
  instances: InstanceStatus[];
  route: LaneRoute | null;
  inFlight: Record<string, number>;
  more: Partial<Situation>;
  last: Plan | null;
}

/** `old` instances of the old version carry the lane, as a takeover left them. */
export function scene(more: Partial<Rollout['spec']> = {}, old = 2): Scene {
  const rollout = rolloutOf({ spec: specOf(more), ...(old === 0 ? { previousDigest: null } : {}) });
  const instances = Array.from({ length: old }, (_, n) => instanceOf(`oldoldoldold-c${n + 1}`, OLD));
  return {
    rollout,
    state: initialState(0),
    nowMs: 0,
    instances,
    route: old === 0 ? null : routeOf(instances, { stable: 100, baseline: 0, canary: 0 }),
    inFlight: {},
    more: {},
    last: null,
  };
}

export function routeOf(instances: readonly InstanceStatus[], weights: LaneRoute['weights']): LaneRoute {
  return {
    lane: 'shop/prod',
    fence: 1,
    listen: { host: '127.0.0.1', port: 8_080 },
    backends: instances.map(({ id, digest, host, port }) => ({
      id,
      group: 'stable',
      digest,
      host,
      port: port ?? 0,
      state: 'serving',
    })),
    weights,
    match: [],
    sticky: null,
    mirror: null,
  };
}

export function observe({ instances, route, inFlight }: Scene): LaneObservation {
  return { instances, route, inFlight };
}

export function situationOf(lane: Scene): Situation {
  return {
    nowMs: lane.nowMs,
    observation: observe(lane),
    analysis: null,
    request: null,
    outstanding: { route: false, stops: [] },
    ...lane.more,
  };
}

/** What the next pass would do. */
export function look(lane: Scene): Plan {
  return plan(lane.rollout, lane.state, situationOf(lane));
}

/** One pass whose actions are obeyed at once; a request is heard once. */
export function pass(lane: Scene, obeyed: (action: Action) => boolean = () => true): Plan {
  const next = look(lane);
  lane.last = next;
  lane.state = next.next;
  delete lane.more.request;
  for (const action of next.actions.filter(obeyed)) obey(lane, action);
  return next;
}

function obey(lane: Scene, action: Action): void {
  if (action.kind === 'stop-instance') lane.instances = lane.instances.filter(({ id }) => id !== action.id);
  else if (action.kind === 'start-instance') lane.instances.push(instanceOf(action.id, action.digest));
  else {
    const { kind, ...route } = action;
    lane.route = { ...routeOf([], route.weights), ...route };
  }
}

/** Passes, each when the one before asked for it, until `until` holds, the rollout ends or it is looked at 400 times. */
export function drive(lane: Scene, until: (lane: Scene) => boolean = () => false): Scene {
  for (let i = 0; i < 400 && !until(lane); i++) {
    const { wakeAtMs } = pass(lane);
    if (wakeAtMs === null) return lane;
    lane.nowMs = Math.max(lane.nowMs, wakeAtMs);
  }
  return lane;
}

export function change(lane: Scene, id: RegExp, more: Partial<InstanceStatus>): void {
  lane.instances = lane.instances.map((instance) =>
    id.test(instance.id) ? { ...instance, ...more } : instance,
  );
}

export function stops({ actions }: Plan): string[] {
  return actions.flatMap((action) => (action.kind === 'stop-instance' ? [action.id] : []));
}

export function starts({ actions }: Plan): string[] {
  return actions.flatMap((action) => (action.kind === 'start-instance' ? [action.id] : []));
}

export function routed({ actions }: Plan): Extract<Action, { kind: 'route' }> | undefined {
  return actions.find((action) => action.kind === 'route');
}

/** Ids by what the route in the plan (else the one that stands) does with them. */
export function backends(lane: Scene, state: 'serving' | 'draining'): string[] {
  const route = (lane.last && routed(lane.last)) ?? lane.route;
  return route?.backends.filter((backend) => backend.state === state).map(({ id }) => id) ?? [];
}
