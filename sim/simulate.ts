import { createHash } from 'node:crypto';
import { type Lane, laneOf } from '../src/kernel/ids.ts';
import { Agent } from './agent.ts';
import { draws } from './draw.ts';
import { startPeople } from './people.ts';
import { Router } from './router.ts';
import { MemoryStore } from './store.ts';
import { Watch } from './watch.ts';
import { startWorker } from './worker.ts';
import { newWorld, START_MS, type World } from './world.ts';

export interface Run {
  seed: number;
  /** What broke, in words; null when every invariant held and everything came to its end. */
  broken: string | null;
  /** Empty unless asked for. */
  trace: readonly string[];
  /** sha256 of the trace: the same seed gives the same one, on every machine. */
  traceHash: string;
  virtualMs: number;
  rollouts: number;
  outcomes: Readonly<Record<string, number>>;
  requests: number;
}

/** Everything that started must have ended this long after the world calmed down. */
const LIMIT_MS = 400_000;
/** And every lane must carry what it should this much later: a worker's memory of failed heals is as long. */
const HEALED_MS = 700_000;

/** One run of the world from a seed. `tracing` costs time and changes nothing else. */
export async function simulate(seed: number, tracing = false): Promise<Run> {
  const trace: string[] | null = tracing ? [] : null;
  const draw = draws(seed);
  const watch = new Watch();
  const world = newWorld(seed, draw, watch, trace);
  const agent = new Agent(world);
  const router = new Router(world, agent);
  const store = new MemoryStore(world);
  Object.assign(watch, { world, store, router, agent });
  store.onCommit = (...commit) => watch.committed(...commit);
  agent.onDown = (instance) => router.forget(instance.lane, instance.id);
  const lanes = Array.from({ length: draw.pick([1, 1, 2, 3]) }, (_, n) => laneOf(`s${n}`, 'prod'));
  for (const lane of lanes) {
    store.lanes.set(lane, { lane, digest: null, rolloutId: null, fence: 0 });
    const everyMs = draw.pick([40, 200, 400]);
    world.timeline.in(100, () => trafficAgain(world, router, lane, everyMs));
  }
  startPeople(world, store, router);
  for (let n = draw.pick([1, 1, 2, 3]); n > 0; n--) {
    world.timeline.in(draw.int(0, 500), () => startWorker(world, `worker${n}`, store, agent, router), true);
  }
  startTrouble(world, agent, router);
  await world.timeline.run(world.calmAtMs, () => watch.broken !== null);
  const ended = () => [...store.rows.values()].every((row) => row.endedAtMs !== null);
  if (watch.broken === null)
    await world.timeline.run(world.calmAtMs + LIMIT_MS, () => watch.broken !== null || ended());
  if (watch.broken === null && !ended()) watch.break(0, `rollouts that never end: ${describeOpen(store)}`);
  const healed = () => lanes.every((lane) => problemOf(lane, store, agent, router) === null);
  if (watch.broken === null)
    await world.timeline.run(world.calmAtMs + LIMIT_MS + HEALED_MS, () => watch.broken !== null || healed());
  for (const lane of watch.broken === null ? lanes : []) {
    const problem = problemOf(lane, store, agent, router);
    if (problem !== null) watch.break(0, `${lane} never comes to rest: ${problem}`);
  }
  if (watch.broken === null) {
    watch.checkTimes();
    replay(store, watch);
  }
  return {
    seed,
    broken: watch.broken?.message ?? null,
    trace: trace ?? [],
    traceHash: createHash('sha256')
      .update((trace ?? []).join('\n'))
      .digest('hex'),
    virtualMs: world.timeline.nowMs - START_MS,
    rollouts: store.rows.size,
    outcomes: watch.outcomes,
    requests: watch.requests,
  };
}

/** Requests come all the time; most are short, a few outlast every drain. */
function trafficAgain(world: World, router: Router, lane: Lane, everyMs: number): void {
  const { draw, timeline, witness } = world;
  const lastsMs = draw.chance(0.03) ? draw.int(1_000, 8_000) : draw.int(5, 300);
  const found = router.request(lane, lastsMs);
  if (found !== null) witness.served(lane, found.instance.digest);
  // Once it is calm only a little goes on: what is waited for then is the lanes' rest.
  const meanMs = timeline.nowMs < world.calmAtMs ? everyMs : 400;
  timeline.in(draw.exponential(meanMs), () => trafficAgain(world, router, lane, everyMs));
}

function startTrouble(world: World, agent: Agent, router: Router): void {
  const { draw, timeline } = world;
  const again = (meanMs: number | null, strike: () => void) => {
    if (meanMs === null) return;
    timeline.in(draw.exponential(meanMs), () => {
      if (timeline.nowMs >= world.calmAtMs) return;
      strike();
      again(meanMs, strike);
    });
  };
  const away = (peer: { reachable: boolean }, name: string) => {
    world.note(() => `${name}: away`);
    peer.reachable = false;
    timeline.in(draw.int(100, 4_000), () => {
      peer.reachable = true;
    });
  };
  const faults = world.faults();
  again(faults.routerRestartMs, () => {
    router.restart();
    away(router, 'router');
  });
  again(faults.routerWipeMs, () => {
    router.wipe();
    away(router, 'wiped router');
  });
  again(faults.agentRestartMs, () => away(agent, 'agent'));
  again(faults.agentWipeMs, () => {
    agent.wipe();
    away(agent, 'wiped agent');
  });
}

/** What an idle lane must look like: all its instances ready and routed, nothing else there. null when it does. */
function problemOf(lane: Lane, store: MemoryStore, agent: Agent, router: Router): string | null {
  const row = store.lanes.get(lane);
  const instances = [...agent.instances.values()].filter((instance) => instance.lane === lane);
  const strays = instances.filter((instance) => instance.digest !== row?.digest);
  if (strays.length > 0)
    return `${strays.map((stray) => `${stray.id} (${stray.state})`).join(', ')} still there`;
  const route = router.routeOf(lane);
  if (row?.rolloutId == null) return route?.backends.length ? 'routed without a version' : null;
  const wanted = store.rows.get(row.rolloutId)?.rollout.spec.instances ?? 0;
  const ready = instances.filter((instance) => instance.state === 'ready');
  if (ready.length < wanted) return `${ready.length} of ${wanted} ready`;
  const served = route?.backends.filter(
    ({ id, group, port, state }) =>
      state === 'serving' &&
      route.weights[group] === 100 &&
      ready.some((instance) => instance.id === id && instance.port === port),
  );
  return (served?.length ?? 0) < wanted ? `${served?.length ?? 0} of ${wanted} routed` : null;
}

function describeOpen(store: MemoryStore): string {
  const open = [...store.rows.values()].filter((row) => row.endedAtMs === null);
  return open
    .map((row) => `${row.rollout.id.slice(-4)} ${row.state.phase}: ${row.reasons.join('; ')}`)
    .join(' / ');
}

/** The entries alone give every state. */
function replay(store: MemoryStore, watch: Watch): void {
  const states = new Map<string, string>();
  for (const { subject, kind, data } of store.entries)
    if (kind !== 'rollout.action') states.set(subject, JSON.stringify(data.state));
  for (const { rollout, state } of store.rows.values())
    if (states.get(rollout.id) !== JSON.stringify(state))
      watch.break(6, `the ledger gives another ${rollout.id}`);
}
