import {
  GROUPS,
  type Group,
  type InstanceStatus,
  type LaneRoute,
  type Weights,
} from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { Rollout, RolloutState } from '../../kernel/rollout.ts';

/** What the data plane looks like for one lane at one moment. */
export interface LaneObservation {
  instances: readonly InstanceStatus[];
  /** The route the router carries; null when it has none for the lane. */
  route: LaneRoute | null;
  /** Requests under way, by backend id. */
  inFlight: Readonly<Record<string, number>>;
}

/** The lane's instances, sorted into roles. Strays belong to no version of this rollout. */
export interface Fleet {
  stable: readonly InstanceStatus[];
  canary: readonly InstanceStatus[];
  baseline: readonly InstanceStatus[];
  strays: readonly InstanceStatus[];
}

export const NO_TRAFFIC_MOVED: Weights = { stable: 100, baseline: 0, canary: 0 };
export const ALL_TO_NEW: Weights = { stable: 0, baseline: 0, canary: 100 };

/** Instance ids carry the rollout and the role, so that roles are known without any other record. */
export function instanceId(rollout: Rollout, group: 'canary' | 'baseline' | 'stable', n: number): string {
  return `${prefix(rollout)}-${group[0]}${n}`;
}

function prefix(rollout: Rollout): string {
  return rollout.id.slice(-12);
}

/** Old instances started by this rollout (`-s`, to restore capacity) are stable like those from before. */
export function sortFleet(rollout: Rollout, instances: readonly InstanceStatus[]): Fleet {
  const mine = prefix(rollout);
  const fleet = { stable: [], canary: [], baseline: [], strays: [] } as Record<keyof Fleet, InstanceStatus[]>;
  for (const instance of instances) {
    if (instance.id.startsWith(`${mine}-c`)) fleet.canary.push(instance);
    else if (instance.id.startsWith(`${mine}-b`)) fleet.baseline.push(instance);
    else if (instance.digest === rollout.previousDigest) fleet.stable.push(instance);
    else fleet.strays.push(instance);
  }
  for (const group of Object.values(fleet)) group.sort((a, b) => (a.id < b.id ? -1 : 1));
  return fleet;
}

export function ready(instances: readonly InstanceStatus[]): InstanceStatus[] {
  return instances.filter((instance) => instance.state === 'ready' && instance.port !== null);
}

/** Instances that could serve or soon will. */
export function alive(instances: readonly InstanceStatus[]): InstanceStatus[] {
  return instances.filter((instance) => !['stopping', 'exited', 'failed'].includes(instance.state));
}

/** Ready instances a share of the lane's traffic needs: its part of the full size, at least one. */
export function capacityFor(weight: number, fullSize: number): number {
  return weight <= 0 ? 0 : Math.max(1, Math.ceil((weight / 100) * fullSize));
}

/** How many instances each role should have in the present phase. */
export interface Wanted {
  stable: number;
  canary: number;
  baseline: number;
}

/** Weights at a step: the baseline gets the canary's load per instance, as far as traffic and its capacity allow. */
export function stepWeights(rollout: Rollout, stepIndex: number): Weights {
  const { spec } = rollout;
  const step = spec.steps[stepIndex];
  const canary = spec.strategy === 'shadow' ? 0 : (step?.weight ?? 0);
  if (rollout.previousDigest === null) return ALL_TO_NEW;
  const canaries = Math.max(spec.canaryInstances, capacityFor(canary, spec.instances));
  const perInstance = canaries === 0 ? 0 : canary / canaries;
  const cap = Math.floor((100 * spec.baselineInstances) / spec.instances);
  const baseline = Math.min(100 - canary, Math.round(perInstance * spec.baselineInstances), cap);
  return { stable: 100 - canary - baseline, baseline, canary };
}

/** The version's share while a step holds; a rolling strategy gives old capacity back as it goes. */
export function stepWanted(rollout: Rollout, stepIndex: number): Wanted {
  const { spec } = rollout;
  const step = spec.steps[stepIndex];
  const weight = step?.weight ?? 0;
  const canary = Math.min(
    spec.instances,
    Math.max(spec.canaryInstances, capacityFor(weight, spec.instances)),
  );
  const stable = spec.strategy === 'rolling' ? capacityFor(100 - weight, spec.instances) : spec.instances;
  return { stable, canary, baseline: rollout.previousDigest === null ? 0 : spec.baselineInstances };
}

export function sameWeights(a: Weights, b: Weights): boolean {
  return GROUPS.every((group) => a[group] === b[group]);
}

/** True once the router carries exactly the weights the state asks for. */
export function settled(state: RolloutState, observation: LaneObservation): boolean {
  return observation.route !== null && sameWeights(observation.route.weights, state.weights);
}

/** The digest a group runs. */
export function digestOf(rollout: Rollout, group: Group): Digest {
  return group === 'canary' ? rollout.digest : (rollout.previousDigest ?? rollout.digest);
}
