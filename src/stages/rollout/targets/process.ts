import type { InstanceSpec, InstanceStatus, LaneRoute } from '../../../kernel/dataplane.ts';
import type { Lane } from '../../../kernel/ids.ts';
import type { LaneObservation } from '../fleet.ts';
import type { Target } from '../ports.ts';

/** The parts of the host agent's and the router's clients that this target uses. */
export interface HostAgent {
  list(lane?: Lane): Promise<readonly InstanceStatus[]>;
  put(spec: InstanceSpec): Promise<unknown>;
  remove(id: string, fence: number): Promise<unknown>;
}

export interface LaneRouter {
  get(lane: Lane): Promise<{ route: LaneRoute; inFlight: Readonly<Record<string, number>> } | null>;
  apply(route: LaneRoute): Promise<unknown>;
}

/** OS processes of the unpacked image on this host, behind the router. */
export function processTarget(agent: HostAgent, router: LaneRouter): Target {
  return {
    async observe(lanes) {
      const seen = new Map<Lane, LaneObservation>();
      // Blind without the agent: the planner holds.
      const instances = await agent.list().catch(() => null);
      if (instances === null) return seen;
      // After the list: an instance the route leaves out is never younger than what is known of it.
      await Promise.all(
        lanes.map(async (lane) => {
          const state = await router.get(lane).catch(() => undefined);
          if (state !== undefined) seen.set(lane, observation(lane, state, instances));
        }),
      );
      return seen;
    },
    async perform({ lane, fence, runtime, action }) {
      if (action.kind === 'stop-instance') {
        await agent.remove(action.id, fence);
        return;
      }
      if (action.kind === 'route') {
        const { weights, backends, mirror, match } = action;
        const { listen, sticky } = runtime;
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
  applied: Awaited<ReturnType<LaneRouter['get']>>,
  instances: readonly InstanceStatus[],
): LaneObservation {
  return {
    instances: instances.filter((instance) => instance.lane === lane),
    route: applied?.route ?? null,
    inFlight: applied?.inFlight ?? {},
  };
}
