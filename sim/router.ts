import { GROUPS, type Group, type LaneRoute, type RouteBackend } from '../src/kernel/dataplane.ts';
import { SlipwayError } from '../src/kernel/errors.ts';
import type { Lane } from '../src/kernel/ids.ts';
import { type Agent, type Instance, isUp } from './agent.ts';
import type { World } from './world.ts';

export interface Request {
  id: string;
}

interface LaneState {
  route: LaneRoute | null;
  fence: number;
  inFlight: Map<string, Set<Request>>;
  /** When the weights became what they are. */
  weightsAtMs: number;
  /** When a backend that had been serving stopped to. */
  drainedAtMs: Map<string, number>;
}

/** The router as src/router keeps its promises: strictly rising fences, whole routes, requests seen to their end. */
export class Router {
  reachable = true;
  wipedAtMs = 0;
  readonly #lanes = new Map<Lane, LaneState>();
  /** Lanes lost by a wipe that nobody has asked for since: no worker can know of it. */
  readonly #unseen = new Map<Lane, LaneState>();
  readonly #world: World;
  readonly #agent: Agent;

  constructor(world: World, agent: Agent) {
    this.#world = world;
    this.#agent = agent;
  }

  apply(route: LaneRoute): void {
    const { witness, timeline } = this.#world;
    const before = this.#lanes.get(route.lane);
    if (before !== undefined && route.fence <= before.fence) {
      const same = route.fence === before.fence && JSON.stringify(before.route) === JSON.stringify(route);
      if (!same) throw new SlipwayError('stale_fence', `fence ${route.fence} is not above ${before.fence}`);
      return;
    }
    witness.routing(route, before?.route ?? null);
    this.#world.note(() => `router: ${route.lane} fence ${route.fence} ${brief(route)}`);
    const last = before ?? this.#unseen.get(route.lane);
    const kept = last?.route && GROUPS.every((group) => last.route?.weights[group] === route.weights[group]);
    this.#lanes.set(route.lane, {
      route,
      fence: route.fence,
      inFlight: before?.inFlight ?? new Map(),
      drainedAtMs: this.#drained(before, route),
      weightsAtMs: kept ? last.weightsAtMs : timeline.nowMs,
    });
  }

  #drained(before: LaneState | undefined, route: LaneRoute): Map<string, number> {
    const drained = new Map(before?.drainedAtMs);
    for (const { id, state } of before?.route?.backends ?? [])
      if (state === 'serving') drained.set(id, this.#world.timeline.nowMs);
    for (const { id, state } of route.backends) if (state === 'serving') drained.delete(id);
    return drained;
  }

  /** How long the router has given nothing new to the backend. */
  drainedForMs(lane: Lane, id: string): number {
    return this.#world.timeline.nowMs - (this.#lanes.get(lane)?.drainedAtMs.get(id) ?? 0);
  }

  get(lane: Lane): { route: LaneRoute; inFlight: Record<string, number> } | null {
    const state = this.#lanes.get(lane);
    if (state?.route == null) {
      this.#unseen.delete(lane);
      return null;
    }
    const counts = [...state.inFlight].map(([id, requests]) => [id, requests.size] as const);
    return { route: state.route, inFlight: Object.fromEntries(counts) };
  }

  routeOf(lane: Lane): LaneRoute | null {
    return this.#lanes.get(lane)?.route ?? null;
  }

  weightsSince(lane: Lane): number {
    return this.#lanes.get(lane)?.weightsAtMs ?? Number.POSITIVE_INFINITY;
  }

  requestsOn(lane: Lane, id: string): readonly Request[] {
    return [...(this.#lanes.get(lane)?.inFlight.get(id) ?? [])];
  }

  /** Its process ends: what it had under way is gone, its routes come back from its disk. */
  restart(): void {
    for (const state of this.#lanes.values()) state.inFlight = new Map();
  }

  /** Its disk is new. */
  wipe(): void {
    this.restart();
    this.wipedAtMs = this.#world.timeline.nowMs;
    for (const [lane, state] of this.#lanes) this.#unseen.set(lane, state);
    this.#lanes.clear();
  }

  /** One request: where it went, or null when nothing took it. */
  request(
    lane: Lane,
    durationMs: number,
  ): { backend: RouteBackend; instance: Instance; group: Group } | null {
    const state = this.#lanes.get(lane);
    if (!this.reachable || state?.route == null) return null;
    const { route } = state;
    const matched = this.#world.draw.chance(0.1) ? route.match[0] : undefined;
    const group = matched?.group ?? this.#drawGroup(route);
    const order = [group, ...GROUPS.filter((other) => route.weights[other] > 0), ...GROUPS];
    for (const candidate of new Set(order)) {
      const found = this.#least(state, route.backends, candidate);
      if (found === null) continue;
      const request = { id: found.backend.id };
      const under = state.inFlight.get(request.id) ?? new Set();
      under.add(request);
      state.inFlight.set(request.id, under);
      this.#world.timeline.in(durationMs, () => under.delete(request));
      return { ...found, group };
    }
    return null;
  }

  /** The process of the backend is gone, and its requests with it. */
  forget(lane: Lane, id: string): void {
    this.#lanes.get(lane)?.inFlight.get(id)?.clear();
  }

  #drawGroup({ weights }: LaneRoute): Group {
    let left = this.#world.draw.uniform() * 100;
    for (const group of GROUPS) {
      left -= weights[group];
      if (left < 0) return group;
    }
    return 'stable';
  }

  /** A connection that is refused is tried at the next instance, so only processes that are up count. */
  #least(state: LaneState, backends: readonly RouteBackend[], group: Group) {
    let best: { backend: RouteBackend; instance: Instance; load: number } | null = null;
    for (const backend of backends) {
      if (backend.group !== group || backend.state !== 'serving') continue;
      const instance = this.#agent.instances.get(backend.id);
      if (instance === undefined || !isUp(instance)) continue;
      const load = state.inFlight.get(backend.id)?.size ?? 0;
      if (best === null || load < best.load) best = { backend, instance, load };
    }
    return best;
  }
}

function brief({ weights, backends }: LaneRoute): string {
  const names = backends.map(
    ({ id, group, state }) => `${id}:${group}${state === 'draining' ? ':draining' : ''}`,
  );
  return `${weights.stable}/${weights.baseline}/${weights.canary} [${names.join(' ')}]`;
}
