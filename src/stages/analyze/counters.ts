import type { BackendCounters } from '../../kernel/dataplane.ts';
import { BUCKETS, pack, total, unpack } from './histogram.ts';
import type { AnalysisState, Arm, SeenInstance } from './state.ts';

/** Instances an analysis keeps counters of; more than a lane has. Those beyond it are not watched. */
export const MAX_INSTANCES = 512;
/** An instance that is no longer listed is forgotten after this long. */
const FORGET_AFTER_MS = 10 * 60_000;

/** The counters of one lane at one instant of the router's clock. */
export interface Snapshot {
  atMs: number;
  bootId: string;
  canaryWeight: number;
  backends: readonly BackendCounters[];
}

/** What one instance did since the look before. */
export interface InstanceIncrement {
  id: string;
  arm: Arm;
  group: BackendCounters['group'];
  requests: number;
  errors: number;
  latency: number[];
  /** False in the first seconds with traffic of a fresh instance, which are left out of the comparison. */
  warm: boolean;
}

/**
 * Turns cumulative counters into increments and remembers the counters in `state` (the caller's own copy). A counter that
 * went down, or another `bootId`, means a fresh start: the new value is the increment. Instances whose counters are not
 * counts are no data in this look.
 */
export function takeIncrements(
  state: AnalysisState,
  snapshot: Snapshot,
  warmupS: number,
): InstanceIncrement[] {
  const rebooted = snapshot.bootId !== state.bootId;
  const increments: InstanceIncrement[] = [];
  for (const backend of snapshot.backends) {
    if (!usable(backend)) continue;
    const seen = Object.hasOwn(state.instances, backend.id) ? state.instances[backend.id] : undefined;
    if (seen === undefined && Object.keys(state.instances).length >= MAX_INSTANCES) continue;
    learnDigests(state, backend);
    const delta = increment(backend, rebooted ? undefined : seen);
    // When its traffic was first seen, at most one look after it began.
    const trafficSinceMs = seen?.trafficSinceMs ?? (delta.requests > 0 ? snapshot.atMs : null);
    const warm = trafficSinceMs !== null && snapshot.atMs - trafficSinceMs >= warmupS * 1000;
    const arm = armOf(state, backend, seen);
    increments.push({ id: backend.id, arm, group: backend.group, warm, ...delta });
    remember(state, backend, {
      arm,
      trafficSinceMs,
      counted: (seen?.counted ?? false) || (warm && delta.requests > 0),
      atMs: snapshot.atMs,
    });
  }
  forget(state, snapshot.atMs);
  return increments;
}

/** The first look counts nothing: it only says where the counters stand. Old instances with traffic are warm already. */
export function takeOrigin(state: AnalysisState, snapshot: Snapshot): void {
  for (const backend of snapshot.backends) {
    if (!usable(backend) || Object.keys(state.instances).length >= MAX_INSTANCES) continue;
    learnDigests(state, backend);
    const trafficSinceMs = backend.requests === 0 ? null : backend.group === 'stable' ? 0 : snapshot.atMs;
    const arm = backend.group === 'canary' ? 'canary' : 'control';
    remember(state, backend, { arm, trafficSinceMs, counted: false, atMs: snapshot.atMs });
  }
}

function usable(backend: BackendCounters): boolean {
  const { requests, errors, latency } = backend;
  return (
    requests >= 0 &&
    requests < Infinity &&
    errors >= 0 &&
    errors <= requests &&
    latency.length === BUCKETS &&
    latency.every((count) => count >= 0 && count < Infinity)
  );
}

function increment(backend: BackendCounters, seen: SeenInstance | undefined) {
  const fresh = { requests: backend.requests, errors: backend.errors, latency: [...backend.latency] };
  if (seen === undefined) return fresh;
  const before = unpack(seen.latency);
  const requests = backend.requests - seen.requests;
  const errors = backend.errors - seen.errors;
  const latency = backend.latency.map((count, i) => count - (before[i] as number));
  const wentDown = requests < 0 || errors < 0 || errors > requests || latency.some((count) => count < 0);
  return wentDown ? fresh : { requests, errors, latency };
}

/**
 * After a promotion the new version's instances are called stable: where the two versions differ, the bytes decide, so
 * that the canary is never compared with itself.
 */
function armOf(state: AnalysisState, backend: BackendCounters, seen: SeenInstance | undefined): Arm {
  if (state.digestsDiffer) return backend.digest === state.canaryDigest ? 'canary' : 'control';
  return (seen?.group ?? backend.group) === 'canary' ? 'canary' : 'control';
}

function learnDigests(state: AnalysisState, backend: BackendCounters): void {
  if (backend.group === 'canary') state.canaryDigest ??= backend.digest;
  if (state.canaryDigest === null || state.digestsDiffer) return;
  const controls = Object.values(state.instances).filter((seen) => seen.group !== 'canary');
  state.digestsDiffer = controls.length > 0 && controls.every((seen) => seen.digest !== state.canaryDigest);
}

function remember(
  state: AnalysisState,
  backend: BackendCounters,
  facts: { arm: Arm; trafficSinceMs: number | null; counted: boolean; atMs: number },
): void {
  const { arm, trafficSinceMs, counted, atMs } = facts;
  state.instances[backend.id] = {
    group: arm === 'canary' ? 'canary' : backend.group,
    digest: backend.digest,
    requests: backend.requests,
    errors: backend.errors,
    latency: pack(backend.latency),
    trafficSinceMs,
    seenAtMs: atMs,
    counted,
  };
}

function forget(state: AnalysisState, atMs: number): void {
  for (const [id, seen] of Object.entries(state.instances)) {
    if (atMs - seen.seenAtMs > FORGET_AFTER_MS) delete state.instances[id];
  }
}

/** Sums of the increments that `select` takes. */
export function sumIncrements(
  increments: readonly InstanceIncrement[],
  select: (one: InstanceIncrement) => boolean,
) {
  const sums = { requests: 0, errors: 0, latency: new Array<number>(BUCKETS).fill(0), instances: 0 };
  for (const one of increments) {
    if (!select(one)) continue;
    sums.requests += one.requests;
    sums.errors += one.errors;
    for (let i = 0; i < BUCKETS; i++) sums.latency[i]! += one.latency[i] as number;
    if (one.requests > 0 || total(one.latency) > 0) sums.instances += 1;
  }
  return sums;
}
