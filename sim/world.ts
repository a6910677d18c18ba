import type { LaneRoute } from '../src/kernel/dataplane.ts';
import type { Digest } from '../src/kernel/digest.ts';
import type { Lane } from '../src/kernel/ids.ts';
import type { LaneObservation } from '../src/stages/rollout/fleet.ts';
import type { Draw } from './draw.ts';
import { drawFaults, type Faults, NO_FAULTS } from './faults.ts';
import { Timeline } from './timeline.ts';

/** What everything in a run shares. */
export interface World {
  seed: number;
  draw: Draw;
  timeline: Timeline;
  /** Those of the seed until `calmAtMs`, none from then on. */
  faults(): Faults;
  calmAtMs: number;
  versions: Map<Digest, Version>;
  witness: Witness;
  /** A line for the trace; the text is only made when somebody reads it. */
  note(text: () => string): void;
}

/** Who is told of what really happens, and holds it to the invariants (watch.ts). */
export interface Witness {
  break(invariant: number, message: string): void;
  /** The router takes up a route. */
  routing(route: LaneRoute, before: LaneRoute | null): void;
  /** The agent ends a process that is up, by order. */
  stopping(instance: { id: string; lane: Lane }): void;
  /** A request was given to an instance of `digest`. */
  served(lane: Lane, digest: Digest): void;
  /** A worker that claimed at `claimedAtMs` saw this. */
  observed(lane: Lane, claimedAtMs: number, observation: LaneObservation): void;
}

/** How instances of one version behave, wherever they run. */
export interface Version {
  digest: Digest;
  startMs: readonly [number, number];
  /** It starts but is never ready; it dies soon after its start, every time. */
  neverReady: boolean;
  diesSoon: boolean;
  /** It serves, but worse than the version before: the analysis will say so when it has seen enough. */
  worse: boolean;
}

export const START_MS = Date.UTC(2026, 0, 1);

export function newWorld(seed: number, draw: Draw, witness: Witness, trace: string[] | null): World {
  const timeline = new Timeline(START_MS);
  const faults = draw.chance(0.1) ? NO_FAULTS : drawFaults(draw);
  const calmAtMs = START_MS + draw.int(15_000, 45_000);
  return {
    seed,
    draw,
    timeline,
    faults: () => (timeline.nowMs < calmAtMs ? faults : NO_FAULTS),
    calmAtMs,
    versions: new Map(),
    witness,
    note(text) {
      trace?.push(`${String(timeline.nowMs - START_MS).padStart(7)} ${text()}`);
    },
  };
}

/** `sound`: it starts and works, as a version that once took over did. */
export function newVersion(world: World, sound: boolean): Version {
  const { draw, versions } = world;
  const digest: Digest = `sha256:${String(versions.size + 1).padStart(64, '0')}`;
  const slowest = draw.pick([200, 500, 3_000]);
  const version: Version = {
    digest,
    startMs: [50, slowest],
    neverReady: !sound && draw.chance(0.06),
    diesSoon: !sound && draw.chance(0.06),
    worse: !sound && draw.chance(0.6),
  };
  versions.set(digest, version);
  return version;
}
