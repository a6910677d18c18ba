import type { Digest } from '../src/kernel/digest.ts';
import type { Lane } from '../src/kernel/ids.ts';
import type { Rollout, RolloutRequest, RolloutState } from '../src/kernel/rollout.ts';
import { changesState, entryOf, type RolloutEntry } from '../src/stages/rollout/entries.ts';
import type { IdleLane } from '../src/stages/rollout/lane-plan.ts';
import type { LaneStore } from '../src/stages/rollout/lanes.ts';
import { NO_ORDERS } from '../src/stages/rollout/orders.ts';
import { initialState } from '../src/stages/rollout/plan.ts';
import type { RolloutStore } from '../src/stages/rollout/ports.ts';
import {
  type ActionResult,
  type ActiveRollout,
  type ChangedPass,
  claimEnd,
  type LaneRuntime,
} from '../src/stages/rollout/store.ts';
import type { World } from './world.ts';

/** One row of `rollouts`, with its analysis. */
export interface Row extends ActiveRollout {
  wakeAtMs: number | null;
  endedAtMs: number | null;
}

/** One row of `lanes`. */
export interface LaneRow {
  lane: Lane;
  digest: Digest | null;
  rolloutId: string | null;
  fence: number;
}

/** What PostgreSQL does for the stage, in memory: the same claims, swaps and wake-ups, one at a time. */
export class MemoryStore implements RolloutStore, LaneStore {
  readonly rows = new Map<string, Row>();
  readonly lanes = new Map<Lane, LaneRow>();
  readonly entries: RolloutEntry[] = [];
  readonly #world: World;
  onCommit: (
    row: Row,
    before: RolloutState,
    pass: ChangedPass,
    entry: RolloutEntry | null,
    nowMs: number,
  ) => void = () => {};

  constructor(world: World) {
    this.#world = world;
  }

  async claimDue(nowMs: number, limit: number): Promise<ActiveRollout[]> {
    const due = [...this.rows.values()]
      .filter((row) => row.endedAtMs === null && row.wakeAtMs !== null && row.wakeAtMs <= nowMs)
      .sort((a, b) => (a.wakeAtMs ?? 0) - (b.wakeAtMs ?? 0))
      .slice(0, limit);
    for (const row of due) row.wakeAtMs = claimEnd(nowMs);
    return due.map((row) => ({ ...row }));
  }

  async reschedule(wakes: readonly { id: string; fromMs: number; toMs: number }[]): Promise<void> {
    for (const { id, fromMs, toMs } of wakes) {
      const row = this.rows.get(id);
      if (row?.endedAtMs === null && row.wakeAtMs === fromMs) row.wakeAtMs = toMs;
    }
  }

  async commit(passes: readonly ChangedPass[], nowMs: number): Promise<readonly ChangedPass[]> {
    const won = passes.filter(({ active }) => {
      const row = this.rows.get(active.rollout.id);
      return row?.endedAtMs === null && row.generation === active.generation;
    });
    for (const pass of won) this.#keep(pass, nowMs);
    return won;
  }

  #keep(pass: ChangedPass, nowMs: number): void {
    const { active, plan, orders } = pass;
    const row = this.rows.get(active.rollout.id)!;
    const before = row.state;
    const stays = row.wakeAtMs !== null && row.wakeAtMs !== claimEnd(pass.claimedAtMs);
    row.wakeAtMs =
      plan.wakeAtMs !== null && stays ? Math.min(row.wakeAtMs ?? 0, plan.wakeAtMs) : plan.wakeAtMs;
    row.state = plan.next;
    row.reasons = plan.reasons;
    row.orders = orders;
    row.generation++;
    if (JSON.stringify(row.request) === JSON.stringify(active.request)) row.request = null;
    if (plan.wakeAtMs === null) row.endedAtMs = this.#world.timeline.nowMs;
    const entry = entryOf(pass, changesState(pass), nowMs);
    if (entry !== null) this.entries.push(entry);
    const lane = this.lanes.get(row.rollout.lane);
    if (plan.next.phase === 'succeeded' && lane !== undefined) {
      lane.digest = row.rollout.digest;
      lane.rolloutId = row.rollout.id;
    }
    this.#world.note(
      () =>
        `store: ${row.rollout.id.slice(-4)} generation ${row.generation} ${row.state.phase} step ${row.state.stepIndex} ` +
        `${plan.actions.map((a) => (a.kind === 'route' ? 'route' : `${a.kind} ${a.id}`)).join(', ')} | ${plan.reasons[0]}`,
    );
    this.onCommit(row, before, pass, entry, nowMs);
  }

  async recordResults(_results: readonly ActionResult[], _nowMs: number): Promise<void> {}

  async idleLanes(after: Lane | null, limit: number): Promise<IdleLane[]> {
    const idle: IdleLane[] = [];
    for (const row of [...this.lanes.values()].sort((a, b) => (a.lane < b.lane ? -1 : 1))) {
      if ((after !== null && row.lane <= after) || this.activeIn(row.lane) !== null) continue;
      const last = row.rolloutId === null ? this.#lastIn(row.lane) : this.rows.get(row.rolloutId);
      if (last === undefined || idle.length >= limit) continue;
      const { lane, digest, fence } = row;
      const { id, spec } = last.rollout;
      idle.push({ lane, digest, rolloutId: id, instances: spec.instances, runtime: last.runtime, fence });
    }
    return idle;
  }

  async takeEpoch({ lane, fence }: IdleLane, entry: RolloutEntry): Promise<boolean> {
    const row = this.lanes.get(lane);
    if (row === undefined || row.fence !== fence || this.activeIn(lane) !== null) return false;
    row.fence++;
    this.entries.push(entry);
    this.#world.note(() => `store: ${lane} epoch ${row.fence} heals ${JSON.stringify(entry.data.reasons)}`);
    return true;
  }

  /** `createRollout` in short: one active rollout a lane, an epoch above all earlier ones. */
  create(rollout: Rollout, runtime: LaneRuntime): Row | null {
    const lane = this.lanes.get(rollout.lane);
    if (lane === undefined || this.activeIn(rollout.lane) !== null || lane.digest === rollout.digest)
      return null;
    lane.fence++;
    const row: Row = {
      rollout,
      state: initialState(rollout.createdAtMs),
      runtime,
      request: null,
      generation: 0,
      epoch: lane.fence,
      promotionId: null,
      releaseId: null,
      repository: 'shop',
      analysis: null,
      reasons: [],
      orders: NO_ORDERS,
      wakeAtMs: rollout.createdAtMs,
      endedAtMs: null,
    };
    this.rows.set(rollout.id, row);
    return row;
  }

  /** `requestRollout` in short. */
  request(row: Row, request: RolloutRequest): void {
    if (row.endedAtMs !== null || !['preparing', 'stepping', 'promoting'].includes(row.state.phase)) return;
    if (row.request?.kind === 'abort' || (request.kind === 'resume' && row.state.paused === null)) return;
    row.request = request;
    row.wakeAtMs = request.atMs;
  }

  activeIn(lane: Lane): Row | null {
    for (const row of this.rows.values()) if (row.rollout.lane === lane && row.endedAtMs === null) return row;
    return null;
  }

  #lastIn(lane: Lane): Row | undefined {
    return [...this.rows.values()].filter((row) => row.rollout.lane === lane).at(-1);
  }
}
