import { GROUPS, type LaneRoute } from '../src/kernel/dataplane.ts';
import type { Digest } from '../src/kernel/digest.ts';
import type { Lane } from '../src/kernel/ids.ts';
import { isTerminal, type RolloutState } from '../src/kernel/rollout.ts';
import type { RolloutEntry } from '../src/stages/rollout/entries.ts';
import type { LaneObservation } from '../src/stages/rollout/fleet.ts';
import type { ChangedPass } from '../src/stages/rollout/store.ts';
import type { Agent } from './agent.ts';
import type { Router } from './router.ts';
import type { MemoryStore, Row } from './store.ts';
import type { Witness, World } from './world.ts';

const EPOCH = 1_048_576;

interface Commit {
  row: Row;
  state: RolloutState;
  claimedAtMs: number;
  stops: ReadonlySet<string>;
}

/** A broken invariant of architecture.md, by its number (0: liveness), as the world saw it happen. */
export class Broken extends Error {
  readonly invariant: number;
  constructor(invariant: number, message: string) {
    super(`invariant ${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

/**
 * Holds a run to the invariants. It uses neither check.ts nor the planner's notions: only what was committed, what the
 * router and the agent really did, and where requests really went.
 */
export class Watch implements Witness {
  world!: World;
  store!: MemoryStore;
  router!: Router;
  agent!: Agent;
  broken: Broken | null = null;
  readonly outcomes: Record<string, number> = {};
  requests = 0;
  /** Requests cut by an order to stop, after their drain time. */
  cutLate = 0;
  /** By rollout and generation: the state as committed, when that pass was claimed, and which stops were on order. */
  readonly #commits = new Map<string, Commit[]>();

  break(invariant: number, message: string): void {
    if (this.broken !== null) return;
    this.broken = new Broken(invariant, message);
    this.world.note(() => `BROKEN ${this.broken?.message}`);
  }

  /** A pass was committed that was planned at `nowMs`, with what was seen since its claim. */
  committed(
    row: Row,
    before: RolloutState,
    pass: ChangedPass,
    entry: RolloutEntry | null,
    nowMs: number,
  ): void {
    const { rollout, state, generation } = row;
    const commits = this.#commits.get(rollout.id) ?? [];
    commits[generation] = { row, state, claimedAtMs: pass.claimedAtMs, stops: new Set(pass.orders.stops) };
    this.#commits.set(rollout.id, commits);
    this.#checkLedger(row, before, entry);
    this.#checkStep(row, before, pass, nowMs);
    this.#checkVerdict(row, before, pass);
    if (isTerminal(before.phase)) this.break(6, `${rollout.id} changes after it ended as ${before.phase}`);
    if (before.turnedBack !== null && state.weights.canary > before.weights.canary)
      this.break(4, `${rollout.id} raises its weight after turning back`);
    if (before.turnedBack !== null && state.turnedBack === null)
      this.break(4, `${rollout.id} forgets its turn`);
    if (before.paused && state.paused && state.weights.canary > before.weights.canary)
      this.break(3, `${rollout.id} raises its weight while paused`);
    if (row.endedAtMs !== null) this.outcomes[state.phase] = (this.outcomes[state.phase] ?? 0) + 1;
    if (row.endedAtMs !== null && state.phase === 'succeeded' && state.weights.canary !== 100)
      this.break(2, `${rollout.id} succeeds at ${state.weights.canary} %`);
    if (row.endedAtMs !== null && state.phase !== 'succeeded' && state.weights.stable !== 100)
      this.break(4, `${rollout.id} ends as ${state.phase} with ${state.weights.stable} % on the old version`);
  }

  /** A failed verdict is heard by the first pass that sees anything. */
  #checkVerdict({ rollout, state }: Row, before: RolloutState, { active, claimedAtMs }: ChangedPass): void {
    const forward = ['preparing', 'stepping', 'promoting'].includes(before.phase);
    const seen = this.seen.has(`${rollout.lane} ${claimedAtMs}`);
    if (forward && seen && active.analysis?.verdict === 'fail' && state.turnedBack === null)
      this.break(4, `${rollout.id} goes on after a failed verdict`);
  }

  /** In calm times a rollout that turned back is at 0 % within its ready deadline and a retry. */
  checkTimes(): void {
    for (const { rollout, state } of this.store.rows.values()) {
      const { turnedBack, zeroTrafficAtMs } = state;
      if (turnedBack === null || turnedBack.atMs < this.world.calmAtMs || zeroTrafficAtMs === null) continue;
      const tookMs = zeroTrafficAtMs - turnedBack.atMs;
      if (tookMs > rollout.spec.readyDeadlineS * 1_000 + 35_000)
        this.break(4, `${rollout.id} took ${tookMs} ms to 0 %`);
    }
  }

  #checkLedger({ rollout, state }: Row, before: RolloutState, entry: RolloutEntry | null): void {
    const changed = before !== state && JSON.stringify(before) !== JSON.stringify(state);
    if (entry === null && changed) this.break(6, `${rollout.id} changes without an entry`);
    if (entry !== null && JSON.stringify(entry.data).length > 60_000)
      this.break(6, 'an entry is too long for the ledger');
  }

  /** Steps are left in order, in their time, on evidence, and weight comes after capacity. */
  #checkStep(row: Row, before: RolloutState, { active, claimedAtMs }: ChangedPass, nowMs: number): void {
    const { rollout, state } = row;
    const { spec, id } = rollout;
    const seen = this.seen.get(`${rollout.lane} ${claimedAtMs}`);
    for (const group of ['canary', 'baseline'] as const) {
      if (state.weights[group] <= before.weights[group] || state.turnedBack !== null) continue;
      const need = Math.ceil((state.weights[group] / 100) * spec.instances);
      const have = seen?.instances.filter(
        (instance) => instance.state === 'ready' && instance.id.startsWith(`${id.slice(-12)}-${group[0]}`),
      ).length;
      if (have === undefined || have < need)
        this.break(2, `${id} gives ${group} ${state.weights[group]} % with ${have} of ${need} ready`);
    }
    const left =
      before.phase === 'stepping' && (state.phase === 'promoting' || state.stepIndex > before.stepIndex);
    const step = spec.steps[before.stepIndex];
    if (!left || step === undefined) return;
    if (state.stepIndex > before.stepIndex + 1) this.break(3, `${id} leaves out a step`);
    if (step.requirePass && spec.analysis !== null && active.analysis?.verdict !== 'pass')
      this.break(8, `${id} leaves step ${before.stepIndex} on ${active.analysis?.verdict ?? 'no data'}`);
    const settled = before.stepSettledAtMs ?? nowMs;
    if (nowMs < settled + step.minimumS * 1_000) this.break(3, `${id} leaves a step before its time`);
    const sinceMs = this.router.weightsSince(rollout.lane);
    const late = this.world.timeline.nowMs - nowMs;
    if (late < 500 && this.router.routeOf(rollout.lane) && nowMs - sinceMs < step.minimumS * 1_000)
      this.break(3, `${id} leaves a step that the router has carried for ${nowMs - sinceMs} ms`);
  }

  /** What workers saw, by lane and time of the look; the newest few. */
  readonly seen = new Map<string, LaneObservation>();

  observed(lane: Lane, claimedAtMs: number, observation: LaneObservation): void {
    this.seen.set(`${lane} ${claimedAtMs}`, observation);
    if (this.seen.size > 500) this.seen.delete(this.seen.keys().next().value ?? '');
  }

  /** The router takes up a route. */
  routing(route: LaneRoute, before: LaneRoute | null): void {
    const { lane, fence, weights } = route;
    const sum = GROUPS.reduce((total, group) => total + weights[group], 0);
    if (Math.abs(sum - 100) > 1e-6) this.break(2, `${lane} gets weights of ${sum} %`);
    if (before !== null && fence <= before.fence) this.break(7, `${lane} takes a stale route`);
    const order = this.#orderOf(lane, fence);
    if (order === null) return;
    this.#checkExposure(route, before, order);
    this.#checkCapacity(route, before, order);
    const { row } = order;
    for (const { id: backend, state: role, group, digest } of route.backends) {
      if (role !== 'serving' || weights[group] === 0) continue;
      if (digest !== (group === 'canary' ? row.rollout.digest : row.rollout.previousDigest))
        this.break(10, `${backend} serves as ${group} with another digest`);
    }
  }

  #checkExposure(
    { lane, weights, match }: LaneRoute,
    before: LaneRoute | null,
    { row, state }: Commit,
  ): void {
    const { spec, previousDigest, id } = row.rollout;
    const limits: Partial<Record<RolloutState['phase'], number>> = {
      preparing: 0,
      stepping: Math.max(0, ...spec.steps.slice(0, state.stepIndex + 1).map((step) => step.weight)),
    };
    const limit = limits[state.phase] ?? 100;
    if (previousDigest !== null && weights.canary > limit)
      this.break(3, `${id} exposes ${weights.canary} % in ${state.phase}, at most ${limit} %`);
    if (match.length > 0 && state.phase !== 'stepping' && state.phase !== 'promoting')
      this.break(3, `${id} has requests matched to it in ${state.phase}`);
    const earlier = before === null ? null : this.#orderOf(lane, before.fence);
    if (
      earlier?.row === row &&
      earlier.state.turnedBack !== null &&
      weights.canary > (before?.weights.canary ?? 0)
    )
      this.break(4, `${id} exposes more after it turned back`);
    // A router that lost its state has lost its fences too: only it may take an order of a time that is over.
    const { wipedAtMs } = this.router;
    const { zeroTrafficAtMs, turnedBack } = row.state;
    // A router that confirmed no route until the deadline was believed as it looked: there a late order may still come.
    const deadlineMs = (turnedBack?.atMs ?? 0) + spec.readyDeadlineS * 1_000;
    if (zeroTrafficAtMs !== null && zeroTrafficAtMs >= deadlineMs) return;
    const endSeenAtMs = row.endedAtMs === null ? 0 : (this.#commits.get(id)?.at(-1)?.claimedAtMs ?? 0);
    if (row.endedAtMs !== null && wipedAtMs < endSeenAtMs)
      this.break(7, `a route of ${id} arrives after it ended as ${row.state.phase}`);
    if (zeroTrafficAtMs !== null && wipedAtMs < zeroTrafficAtMs && (weights.canary > 0 || match.length > 0))
      this.break(4, `${id} is exposed again after it was seen at 0 %`);
  }

  /** A ready instance, known to be ready by the pass that gave the order, is not taken from a share that needs it. */
  #checkCapacity(route: LaneRoute, before: LaneRoute | null, { row, claimedAtMs, stops }: Commit): void {
    const { spec, id, previousDigest } = row.rollout;
    const served = new Set(
      before?.backends.filter((backend) => backend.state === 'serving').map((b) => b.id),
    );
    const serving = route.backends.filter((backend) => backend.state === 'serving');
    const kept = new Set(serving.map((backend) => backend.id));
    const ownId = (group: string) => `${id.slice(-12)}-${group[0]}`;
    for (const group of ['stable', 'canary'] as const) {
      const need = Math.ceil((route.weights[group] / 100) * spec.instances);
      const have = serving.filter((backend) => backend.group === group).length;
      if (have >= need) continue;
      for (const instance of this.agent.instances.values()) {
        const right =
          group === 'canary'
            ? instance.id.startsWith(ownId('canary'))
            : instance.digest === previousDigest && !instance.id.startsWith(ownId('baseline'));
        const taken = served.has(instance.id) && !kept.has(instance.id) && !stops.has(instance.id);
        if (right && taken && instance.lane === route.lane && instance.readySinceMs < claimedAtMs)
          this.break(2, `${instance.id} is taken from the ${have} of ${need} that ${group} needs`);
      }
    }
  }

  #orderOf(lane: Lane, fence: number): Commit | null {
    const epoch = Math.floor(fence / EPOCH);
    for (const row of this.store.rows.values()) {
      if (row.rollout.lane !== lane || row.epoch !== epoch) continue;
      const commit = this.#commits.get(row.rollout.id)?.[fence % EPOCH];
      if (commit === undefined) this.break(7, `a route of ${row.rollout.id} was never committed`);
      return commit ?? null;
    }
    return null;
  }

  /** The agent ends a process that is up, by order. */
  stopping({ lane, id }: { lane: Lane; id: string }): void {
    // Ordered while it was drained; a router that lost its fences since then may have taken up an order from before that.
    if (this.#stopOrderedAtMs(id) < this.router.wipedAtMs) return;
    const backend = this.router.routeOf(lane)?.backends.find((candidate) => candidate.id === id);
    if (backend?.state === 'serving') this.break(2, `${id} is stopped while the router sends to it`);
    const drainS = this.#drainOf(lane);
    const lost = this.router.requestsOn(lane, id).length;
    const drainedMs = this.router.drainedForMs(lane, id);
    if (lost > 0 && drainedMs < drainS * 1_000)
      this.break(2, `${lost} requests are lost: ${id} is stopped after it drained for ${drainedMs} ms`);
    this.cutLate += lost;
  }

  #stopOrderedAtMs(id: string): number {
    for (const commits of this.#commits.values())
      for (const commit of commits) if (commit?.stops.has(id)) return commit.claimedAtMs;
    return Number.POSITIVE_INFINITY;
  }

  #drainOf(lane: Lane): number {
    const row =
      this.store.activeIn(lane) ?? [...this.store.rows.values()].find((r) => r.rollout.lane === lane);
    return row?.rollout.spec.drainS ?? 0;
  }

  /** A request was given to an instance of `digest`. */
  served(lane: Lane, digest: Digest): void {
    this.requests++;
    const row = this.store.lanes.get(lane);
    if (row === undefined || this.store.activeIn(lane) !== null || row.digest === digest) return;
    this.break(4, `${lane} rests on ${row.digest?.slice(-4)}, and ${digest.slice(-4)} serves a request`);
  }
}
