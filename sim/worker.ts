import { SlipwayError } from '../src/kernel/errors.ts';
import type { Lane } from '../src/kernel/ids.ts';
import { createLogger, type Logger } from '../src/platform/log.ts';
import { runPasses } from '../src/stages/rollout/apply.ts';
import { type HealMemory, healLanes, type LaneStore } from '../src/stages/rollout/lanes.ts';
import type { RolloutStore, Target } from '../src/stages/rollout/ports.ts';
import { processTarget } from '../src/stages/rollout/targets/process.ts';
import type { Agent } from './agent.ts';
import type { Router } from './router.ts';
import type { MemoryStore } from './store.ts';
import type { World } from './world.ts';

const SILENT = createLogger('sim', 'silent');
const TICK_MS = 100;
const HEAL_MS = 3_000;

interface Life {
  name: string;
  dead: boolean;
  claimedAtMs: number;
}

/**
 * A worker process: the real loops over the real executor, planner and target, with every call that leaves the process
 * going through the world's faults. When it dies, its promises never settle and another takes its place.
 */
export function startWorker(
  world: World,
  name: string,
  store: MemoryStore,
  agent: Agent,
  router: Router,
): void {
  const life: Life = { name, dead: false, claimedAtMs: 0 };
  const calls = callsOf(world, life, () =>
    world.timeline.in(world.draw.int(200, 8_000), () => startWorker(world, name, store, agent, router), true),
  );
  const target = faultyTarget(world, life, calls, agent, router);
  const clock = { nowMs: () => world.timeline.nowMs, random: world.draw.bytes };
  const deps = { target, clock, log: logFor(world, store) };
  const memory: HealMemory = new Map();
  void forever(world, life, TICK_MS, async () => {
    await runPasses({ ...deps, store: faultyStore(world, life, calls, store) }, 50);
  });
  void forever(world, life, HEAL_MS, async () => {
    await healLanes({ ...deps, store: faultyLanes(calls, store) }, memory);
  });
}

/**
 * Warnings are part of a rough life. An error is a plan that broke an invariant, or worse; only of a row that others have
 * moved on since it was read, with a newer look at the data plane, may a plan be wrong: it loses the swap.
 */
function logFor(world: World, store: MemoryStore): Logger {
  return Object.assign(Object.create(SILENT) as Logger, {
    error(facts: { rollout?: string; generation?: number }, message: string) {
      const row = store.rows.get(facts.rollout ?? '');
      if (row === undefined || facts.generation === undefined || row.generation === facts.generation)
        world.witness.break(0, `${message}: ${JSON.stringify(facts)}`);
    },
  });
}

async function forever(world: World, life: Life, everyMs: number, pass: () => Promise<void>): Promise<void> {
  while (!life.dead) {
    try {
      await pass();
    } catch (error) {
      // As the real loop: the next pass starts from the rows. What is not an injected fault is a fault of the code.
      if (!(error instanceof SlipwayError))
        world.witness.break(0, `a worker failed: ${(error as Error).stack}`);
    }
    await pause(world, life, everyMs);
  }
}

/** Resolves after `ms` of virtual time; never for a dead worker. */
function pause(world: World, life: Life, ms: number): Promise<void> {
  return new Promise((resolve) => {
    world.timeline.in(ms, () => (life.dead ? undefined : resolve()), true);
  });
}

/** One call out of the process. `late`: it may still arrive after the caller gave up. */
type Calls = <Result>(
  effect: () => Result | Promise<Result>,
  odds: { lost: number; answerLost: number; late: number },
) => Promise<Result>;

function callsOf(world: World, life: Life, die: () => void): Calls {
  const { draw, timeline } = world;
  const step = async () => {
    const { crash, stall, slowMs } = world.faults();
    if (draw.chance(crash)) {
      life.dead = true;
      world.note(() => `${life.name}: dies`);
      die();
      return new Promise<void>(() => {});
    }
    if (draw.chance(stall)) {
      world.note(() => `${life.name}: stands still`);
      return pause(world, life, draw.int(1_000, 30_000));
    }
    if (draw.chance(0.25)) return pause(world, life, draw.int(1, slowMs));
  };
  return async (effect, odds) => {
    await step();
    if (draw.chance(odds.lost)) throw new SlipwayError('unreachable', 'injected: the call was lost');
    if (draw.chance(odds.late)) {
      timeline.in(
        draw.int(500, 20_000),
        () => {
          // Nobody hears the answer, nor the refusal.
          void Promise.resolve()
            .then(effect)
            .catch(() => {});
        },
        true,
      );
      await pause(world, life, draw.int(100, 5_000));
      throw new SlipwayError('timeout', 'injected: no answer in time');
    }
    const result = await effect();
    await step();
    if (draw.chance(odds.answerLost)) throw new SlipwayError('unreachable', 'injected: the answer was lost');
    return result;
  };
}

const SURE = { lost: 0, answerLost: 0, late: 0 };

function faultyTarget(world: World, life: Life, calls: Calls, agent: Agent, router: Router): Target {
  const reading = () => ({ ...SURE, lost: world.faults().lost });
  const ask = <Result>(peer: { reachable: boolean }, effect: () => Result) =>
    calls(() => reached(peer, effect), reading());
  const order = (what: string, peer: { reachable: boolean }, effect: () => void) =>
    calls(() => told(world, `${life.name}: ${what}`, () => reached(peer, effect)), world.faults());
  const target = processTarget(
    {
      list: () => ask(agent, () => agent.list()),
      put: (spec) => order(`put ${spec.id} fence ${spec.fence}`, agent, () => agent.put(spec)),
      remove: (id, fence) => order(`stop ${id} fence ${fence}`, agent, () => agent.remove(id, fence)),
    },
    {
      get: (lane) => ask(router, () => router.get(lane)),
      apply: (route) => order(`route ${route.lane} fence ${route.fence}`, router, () => router.apply(route)),
    },
  );
  return {
    perform: target.perform,
    async observe(lanes: readonly Lane[]) {
      const { claimedAtMs } = life;
      const seen = await target.observe(lanes);
      for (const [lane, observation] of seen) world.witness.observed(lane, claimedAtMs, observation);
      return seen;
    },
  };
}

function reached<Result>(peer: { reachable: boolean }, effect: () => Result): Result {
  if (!peer.reachable) throw new SlipwayError('unreachable', 'injected: it is away');
  return effect();
}

function told(world: World, what: string, effect: () => void): void {
  try {
    effect();
    world.note(() => what);
  } catch (error) {
    world.note(() => `${what} refused: ${(error as Error).message}`);
    throw error;
  }
}

function faultyStore(world: World, life: Life, calls: Calls, store: MemoryStore): RolloutStore {
  const commits = () => {
    const { commitFails, commitAnswerLost } = world.faults();
    return { lost: commitFails, answerLost: commitAnswerLost, late: 0 };
  };
  return {
    claimDue(nowMs, limit) {
      life.claimedAtMs = nowMs;
      return calls(() => store.claimDue(nowMs, limit), SURE);
    },
    reschedule: (wakes) =>
      wakes.length === 0 ? Promise.resolve() : calls(() => store.reschedule(wakes), SURE),
    commit: (passes, nowMs) => calls(() => store.commit(passes, nowMs), commits()),
    recordResults: (results, nowMs) => calls(() => store.recordResults(results, nowMs), SURE),
  };
}

function faultyLanes(calls: Calls, store: MemoryStore): LaneStore {
  return {
    idleLanes: (after, limit) => calls(() => store.idleLanes(after, limit), SURE),
    takeEpoch: (idle, entry) => calls(() => store.takeEpoch(idle, entry), SURE),
  };
}
