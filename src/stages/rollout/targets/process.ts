import type { InstanceSpec, InstanceStatus, LaneRoute, RouterStats } from '../../../kernel/dataplane.ts';
import type { Lane } from '../../../kernel/ids.ts';
import type { Target } from '../apply.ts';
import type { LaneObservation } from '../fleet.ts';

/** The parts of the host agent's and the router's clients that this target uses. */
export interface HostAgent {
  list(lane?: Lane): Promise<readonly InstanceStatus[]>;
  put(spec: InstanceSpec): Promise<unknown>;
  remove(id: string, fence: number): Promise<unknown>;
}

export interface LaneRouter {
  get(lane: Lane): Promise<LaneRoute | null>;
  apply(route: LaneRoute): Promise<unknown>;
  stats(): Promise<RouterStats>;
}

/** OS processes of the unpacked image on this host, behind the router. */
export function processTarget(agent: HostAgent, router: LaneRouter): Target {
  return {
    async observe(lanes) {
      try {
        const [instances, stats, routes] = await Promise.all([
          agent.list(),
          router.stats(),
          Promise.all(lanes.map(async (lane) => [lane, await router.get(lane)] as const)),
        ]);
        return new Map(routes.map(([lane, route]) => [lane, observation(lane, route, instances, stats)]));
      } catch {
        // Blind: the planner holds.
        return new Map();
      }
    },
    async perform({ lane, fence, runtime, action }) {
      if (action.kind === 'stop-instance') {
        await agent.remove(action.id, fence);
        return;
      }
      if (action.kind === 'route') {
        const { weights, backends, mirror } = action;
        const { listen, match, sticky } = runtime;
        await router.apply({ lane, fence, listen, backends, weights, match, sticky, mirror });
        return;
      }
      const template = runtime.versions[action.digest];
      if (template === undefined) throw new Error(`no runtime is recorded for ${action.digest}`);
      await agent.put({ ...template, id: action.id, lane, fence, digest: action.digest });
    },
  };
}

function observation(
  lane: Lane,
  route: LaneRoute | null,
  instances: readonly InstanceStatus[],
  stats: RouterStats,
): LaneObservation {
  const counters = stats.lanes.find((candidate) => candidate.lane === lane)?.backends ?? [];
  return {
    instances: instances.filter((instance) => instance.lane === lane),
    route,
    inFlight: Object.fromEntries(counters.map((backend) => [backend.id, backend.inFlight])),
  };
}
