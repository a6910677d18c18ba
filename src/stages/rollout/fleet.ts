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
  /** Their stop was ordered: they count for nothing and never serve again. */
  leaving: readonly InstanceStatus[];
}

export const NO_TRAFFIC_MOVED: Weights = { stable: 100, baseline: 0, canary: 0 };
export const ALL_TO_NEW: Weights = { stable: 0, baseline: 0, canary: 100 };

/** Instance ids carry the rollout and the role, so that roles are known without any other record. */
export function instanceId(
  rollout: Pick<Rollout, 'id'>,
  group: 'canary' | 'baseline' | 'stable',
  n: number,
): string {
  return `${prefix(rollout)}-${group[0]}${n}`;
}

function prefix(rollout: Pick<Rollout, 'id'>): string {
  return rollout.id.slice(-12);
}

/** Old instances started by this rollout (`-s`, to restore capacity) are stable like those from before. */
export function sortFleet(
  rollout: Rollout,
  instances: readonly InstanceStatus[],
  stops: readonly string[] = [],
): Fleet {
  const mine = prefix(rollout);
  const fleet = { stable: [], canary: [], baseline: [], strays: [], leaving: [] } as Record<
    keyof Fleet,
    InstanceStatus[]
  >;
  for (const instance of instances) {
    if (stops.includes(instance.id)) fleet.leaving.push(instance);
    else if (instance.id.startsWith(`${mine}-c`)) fleet.canary.push(instance);
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

/**
 * The size the old version keeps: that of the new one, and what it had from before while that is more. A release that
 * asks for fewer instances must not take capacity from the version that carries the traffic.
 */
export function stableSize(rollout: Rollout, fleet: Fleet): number {
  const own = `${prefix(rollout)}-s`;
  const originals = alive(fleet.stable).filter((instance) => !instance.id.startsWith(own));
  return Math.max(rollout.spec.instances, originals.length);
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
  const baseline = Math.max(
    0,
    Math.min(Math.floor(100 - canary), Math.round(perInstance * spec.baselineInstances), cap),
  );
  return { stable: rest(canary + baseline), baseline, canary };
}

/** What is left of 100; percentages may have decimals, and binary fractions of them do not add up by themselves. */
export function rest(taken: number): number {
  return Number((100 - taken).toFixed(6));
}

/** Instances of the new version and the baseline while a step holds. */
export function stepWanted(rollout: Rollout, stepIndex: number): Omit<Wanted, 'stable'> {
  const { spec } = rollout;
  const weight = spec.steps[stepIndex]?.weight ?? 0;
  const canary = Math.min(
    spec.instances,
    Math.max(spec.canaryInstances, capacityFor(weight, spec.instances)),
  );
  return { canary, baseline: rollout.previousDigest === null ? 0 : spec.baselineInstances };
}

export function sameWeights(a: Weights, b: Weights): boolean {
  return GROUPS.every((group) => a[group] === b[group]);
}

/** True once the router is seen to carry the newest route ordered, with exactly the weights the state asks for. */
export function settled(
  state: RolloutState,
  observation: LaneObservation,
  outstanding: { route: boolean },
): boolean {
  return (
    !outstanding.route && observation.route !== null && sameWeights(observation.route.weights, state.weights)
  );
}

/** Whether the router gives requests, by weight or by match, to instances of the new version of this very rollout. */
export function carriesNew(rollout: Rollout, { route }: LaneObservation): boolean {
  if (route === null) return false;
  const own = `${prefix(rollout)}-c`;
  return route.backends.some(
    ({ id, group, state }) =>
      id.startsWith(own) &&
      state === 'serving' &&
      (route.weights[group] > 0 || route.match.some((match) => match.group === group)),
  );
}

/** Whether the router may give a new request to any of the instances. */
export function anyServing(instances: readonly InstanceStatus[], { route }: LaneObservation): boolean {
  const ids = new Set(instances.map((instance) => instance.id));
  return route?.backends.some((backend) => backend.state === 'serving' && ids.has(backend.id)) ?? false;
}

/** The digest a group runs. */
export function digestOf(rollout: Rollout, group: Group): Digest {
  return group === 'canary' ? rollout.digest : (rollout.previousDigest ?? rollout.digest);
}

/**
 * Strays, failed instances (their ids become free for a new start), and those beyond what is wanted: not-ready ones
 * first, then the youngest.
 */
export function surplusInstances(wanted: Wanted, fleet: Fleet): InstanceStatus[] {
  const surplus = [...fleet.strays];
  for (const group of GROUPS) {
    const ranked = [...fleet[group]].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
    surplus.push(...ranked.filter((instance, i) => i >= wanted[group] || instance.state === 'failed'));
  }
  return surplus;
}

function rank(instance: InstanceStatus): number {
  return instance.state === 'ready' ? 0 : alive([instance]).length > 0 ? 1 : 2;
}
