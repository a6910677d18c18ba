import type { Digest } from '../src/kernel/digest.ts';
import { type Lane, newId } from '../src/kernel/ids.ts';
import {
  type AnalysisSpec,
  ROUTED_BY_WEIGHT,
  type Rollout,
  type RolloutSpec,
  type RolloutStep,
  type StrategyKind,
} from '../src/kernel/rollout.ts';
import type { Verdict } from '../src/kernel/verdict.ts';
import type { InstanceTemplate, LaneRuntime } from '../src/stages/rollout/store.ts';
import type { Draw } from './draw.ts';
import type { Router } from './router.ts';
import type { MemoryStore, Row } from './store.ts';
import { newVersion, type World } from './world.ts';

/** Everybody who wants something of the rollouts: who releases, who pauses and aborts, and the analysis. */
export function startPeople(world: World, store: MemoryStore, router: Router): void {
  for (const { lane } of store.lanes.values()) {
    world.timeline.in(world.draw.int(0, 2_000), () => releaseAgain(world, store, lane));
  }
  world.timeline.in(500, () => meddleAgain(world, store));
  world.timeline.in(1_000, () => analyseAgain(world, store, router));
}

/** One release after the other while times are rough; one more once they are calm. */
function releaseAgain(world: World, store: MemoryStore, lane: Lane): void {
  if (store.activeIn(lane) === null) release(world, store, lane);
  const inMs = world.draw.int(500, 30_000);
  if (world.timeline.nowMs + inMs < world.calmAtMs)
    world.timeline.in(inMs, () => releaseAgain(world, store, lane));
}

function release(world: World, store: MemoryStore, lane: Lane): void {
  const { draw, timeline } = world;
  const current = store.lanes.get(lane)?.digest ?? null;
  const earlier = [...store.rows.values()].filter(
    (row) => row.rollout.lane === lane && row.state.phase === 'succeeded' && row.rollout.digest !== current,
  );
  const back = current !== null && earlier.length > 0 && draw.chance(0.25);
  const digest = back ? draw.pick(earlier).rollout.digest : newVersion(world, draw.chance(0.5)).digest;
  const rollout: Rollout = {
    id: newId('rol', timeline.nowMs, draw.bytes),
    lane,
    kind: back ? 'rollback' : 'planned',
    digest,
    previousDigest: current,
    spec: drawSpec(draw, back ? 'all-at-once' : null),
    createdAtMs: timeline.nowMs,
  };
  const made = store.create(rollout, runtimeFor(current === null ? [digest] : [digest, current]));
  world.note(
    () =>
      `people: release ${made ? '' : 'refused '}${rollout.id.slice(-4)} ${lane} ${JSON.stringify(world.versions.get(digest))} ${JSON.stringify(rollout.spec)}`,
  );
}

function drawSpec(draw: Draw, kind: StrategyKind | null): RolloutSpec {
  const strategy = kind ?? draw.pick(['canary', 'canary', 'blue-green', 'rolling', 'shadow', 'all-at-once']);
  const instances = draw.pick([1, 2, 3, 5]);
  const analysed = strategy === 'canary' ? draw.chance(0.8) : strategy !== 'all-at-once' && draw.chance(0.3);
  return {
    strategy,
    steps: drawSteps(draw, strategy, analysed),
    instances,
    canaryInstances: Math.min(instances, draw.int(1, 2)),
    baselineInstances: strategy === 'canary' ? Math.min(instances, draw.int(0, 2)) : 0,
    progressDeadlineS: draw.pick([30, 90, 180]),
    readyDeadlineS: draw.pick([6, 15, 30]),
    drainS: draw.pick([0, 1, 4]),
    onInconclusive: draw.pick(['rollback', 'pause']),
    analysis: analysed ? ANALYSIS : null,
    routing: draw.chance(0.2) ? ROUTING : ROUTED_BY_WEIGHT,
  };
}

const ROUTING = {
  match: [{ header: { name: 'x-canary', value: '1' }, group: 'canary' as const }],
  sticky: null,
};
const ANALYSIS: AnalysisSpec = { alpha: 0.05, errors: null, latency: [], warmupS: 0, staleS: 3 };

function drawSteps(draw: Draw, strategy: StrategyKind, analysed: boolean): RolloutStep[] {
  if (strategy === 'all-at-once') return [];
  if (strategy === 'blue-green') return [step(draw, 0, analysed)];
  const weights = draw.pick([[5], [10, 50], [33.3, 66.6], [1, 20, 100], [0.1, 25, 50, 75]]);
  return weights.map((weight) => step(draw, weight, analysed));
}

function step(draw: Draw, weight: number, analysed: boolean): RolloutStep {
  const minimumS = draw.pick([0, 1, 3]);
  return {
    weight,
    minimumS,
    requirePass: analysed && draw.chance(0.7),
    manual: draw.chance(0.1),
    deadlineS: minimumS + draw.pick([5, 15]),
  };
}

const TEMPLATE: InstanceTemplate = {
  repository: 'shop',
  env: {},
  readiness: { path: '/', periodMs: 100, timeoutMs: 100, failureThreshold: 1 },
  startTimeoutMs: 6_000,
  stopGraceMs: 1_500,
  resources: { memoryBytes: null, openFiles: null },
};

function runtimeFor(digests: readonly Digest[]): LaneRuntime {
  return {
    listen: { host: '127.0.0.1', port: 8_080 },
    sticky: null,
    versions: Object.fromEntries(digests.map((digest) => [digest, TEMPLATE])),
  };
}

/** Pauses, resumes and aborts at any moment; in calm times only the resume that a paused rollout waits for. */
function meddleAgain(world: World, store: MemoryStore): void {
  const { draw, timeline } = world;
  const calm = timeline.nowMs >= world.calmAtMs;
  for (const row of store.rows.values()) {
    if (row.endedAtMs !== null) continue;
    if (row.state.paused !== null && (calm || draw.chance(0.2))) ask(world, store, row, 'resume');
    else if (!calm && draw.chance(0.01)) ask(world, store, row, draw.pick(['pause', 'pause', 'abort']));
  }
  timeline.in(draw.int(300, 1_500), () => meddleAgain(world, store));
}

function ask(world: World, store: MemoryStore, row: Row, kind: 'pause' | 'resume' | 'abort'): void {
  world.note(() => `people: ${kind} ${row.rollout.id.slice(-4)}`);
  store.request(row, { kind, actor: 'user:ann', reason: 'because', atMs: world.timeline.nowMs });
}

/** Once a second a verdict: a version that is worse fails after some looks with traffic, others drift to a pass. */
function analyseAgain(world: World, store: MemoryStore, router: Router): void {
  const { draw, timeline } = world;
  for (const row of store.rows.values()) {
    const { rollout, state, endedAtMs, analysis } = row;
    if (endedAtMs !== null || rollout.spec.analysis === null) continue;
    const carried = router.routeOf(rollout.lane)?.weights.canary ?? 0;
    const looked = state.exposedAtMs !== null && carried > 0 && timeline.nowMs - state.exposedAtMs > 1_000;
    const worse = world.versions.get(rollout.digest)?.worse === true;
    const verdict =
      draw.chance(0.2) && timeline.nowMs < world.calmAtMs ? 'no-data' : verdictOf(draw, worse, looked);
    const stands: Verdict = analysis?.verdict === 'fail' ? 'fail' : verdict;
    row.analysis = { verdict: stands, reason: `the simulator says ${stands}`, atMs: timeline.nowMs };
    if (stands !== analysis?.verdict || stands === 'fail')
      row.wakeAtMs = Math.min(row.wakeAtMs ?? timeline.nowMs, timeline.nowMs);
  }
  timeline.in(1_000, () => analyseAgain(world, store, router));
}

function verdictOf(draw: Draw, worse: boolean, looked: boolean): Verdict {
  if (!looked) return 'no-data';
  if (worse) return draw.chance(0.4) ? 'fail' : 'inconclusive';
  return draw.chance(0.5) ? 'pass' : 'inconclusive';
}
