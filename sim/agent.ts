import type { InstanceState, InstanceStatus } from '../src/kernel/dataplane.ts';
import type { Digest } from '../src/kernel/digest.ts';
import { SlipwayError } from '../src/kernel/errors.ts';
import type { Lane } from '../src/kernel/ids.ts';
import type { World } from './world.ts';

export interface Instance {
  id: string;
  lane: Lane;
  digest: Digest;
  state: InstanceState;
  port: number | null;
  restarts: number;
  everReady: boolean;
  acceptedAtMs: number;
  /** Since when it is ready without a break. */
  readySinceMs: number;
  reason: string | null;
  /** Every change of state makes the events planned before it void. */
  turn: number;
}

const START_TIMEOUT_MS = 6_000;

/** The host agent as src/agent keeps its promises: fences by lane, idempotent by id, restarts with a backoff. */
export class Agent {
  readonly instances = new Map<string, Instance>();
  reachable = true;
  readonly #fences = new Map<Lane, number>();
  readonly #world: World;
  #ports = 20_000;
  /** Told when the process of an instance goes, and whether it was told to. */
  onDown: (instance: Instance, why: 'stopped' | 'crashed') => void = () => {};

  constructor(world: World) {
    this.#world = world;
  }

  put(order: { id: string; lane: Lane; fence: number; digest: Digest }): void {
    const existing = this.instances.get(order.id);
    this.#pass(order.lane, order.fence);
    if (existing !== undefined) {
      if (existing.digest !== order.digest || existing.state === 'stopping')
        throw new SlipwayError('conflict', `instance ${order.id} is another, or is being stopped`);
      return;
    }
    const { id, lane, digest } = order;
    const instance: Instance = {
      id,
      lane,
      digest,
      state: 'pulling',
      port: null,
      restarts: 0,
      everReady: false,
      acceptedAtMs: this.#world.timeline.nowMs,
      readySinceMs: Number.POSITIVE_INFINITY,
      reason: null,
      turn: 0,
    };
    this.instances.set(id, instance);
    this.#later(instance, this.#world.draw.int(10, 300), () => this.#start(instance));
  }

  remove(id: string, fence: number): void {
    const instance = this.instances.get(id);
    if (instance === undefined) return;
    this.#pass(instance.lane, fence);
    if (instance.state === 'stopping') return;
    if (isUp(instance)) {
      this.#world.witness.stopping(instance);
      this.onDown(instance, 'stopped');
    }
    this.#become(instance, 'stopping', 'stopped by order');
    this.#later(instance, this.#world.draw.int(10, 1_500), () => this.instances.delete(id));
  }

  /** Copies: what an observer holds must not change under its hands. */
  list(): InstanceStatus[] {
    return [...this.instances.values()].map(({ id, lane, digest, state, port, restarts, reason }) => ({
      id,
      lane,
      digest,
      state,
      host: '127.0.0.1',
      port,
      pid: null,
      restarts,
      startedAtMs: null,
      readyAtMs: null,
      reason,
    }));
  }

  /** The machine is new: nothing runs, nothing is remembered. */
  wipe(): void {
    for (const instance of this.instances.values()) {
      if (isUp(instance)) this.onDown(instance, 'crashed');
      instance.turn++;
    }
    this.instances.clear();
    this.#fences.clear();
  }

  #pass(lane: Lane, fence: number): void {
    const highest = this.#fences.get(lane) ?? -1;
    if (fence < highest)
      throw new SlipwayError('stale_fence', `fence ${fence} for ${lane} is below ${highest}`);
    this.#fences.set(lane, fence);
  }

  #start(instance: Instance): void {
    const { draw } = this.#world;
    const version = this.#version(instance);
    instance.port ??= this.#ports++;
    this.#become(instance, 'starting', null);
    const fails = version.diesSoon || draw.chance(this.#world.faults().startFails);
    const [least, most] = version.startMs;
    const tookMs = draw.int(least, most);
    if (version.neverReady) {
      const left = instance.acceptedAtMs + START_TIMEOUT_MS - this.#world.timeline.nowMs;
      this.#later(instance, Math.max(1, left), () => this.#become(instance, 'failed', 'never ready'));
    } else if (fails) this.#later(instance, Math.max(1, tookMs - 1), () => this.#crash(instance));
    else this.#later(instance, tookMs, () => this.#beReady(instance));
  }

  #beReady(instance: Instance): void {
    const { draw, faults } = this.#world;
    instance.everReady = true;
    this.#become(instance, 'ready', null);
    const { instanceCrashMs, instanceFlapMs } = faults();
    const crashIn = instanceCrashMs === null ? Number.POSITIVE_INFINITY : draw.exponential(instanceCrashMs);
    const flapIn = instanceFlapMs === null ? Number.POSITIVE_INFINITY : draw.exponential(instanceFlapMs);
    const soonest = Math.min(crashIn, flapIn);
    if (!Number.isFinite(soonest)) return;
    this.#later(instance, soonest, () => {
      // What was planned in rough times does not happen in calm ones.
      if (this.#world.timeline.nowMs >= this.#world.calmAtMs) return;
      if (crashIn <= flapIn) this.#crash(instance);
      else {
        this.#become(instance, 'unready', 'does not answer its probe');
        this.#later(instance, draw.int(200, 6_000), () => this.#beReady(instance));
      }
    });
  }

  #crash(instance: Instance): void {
    if (isUp(instance)) this.onDown(instance, 'crashed');
    const nowMs = this.#world.timeline.nowMs;
    const backoffMs = Math.min(4_000, 500 * 2 ** instance.restarts);
    if (!instance.everReady && nowMs + backoffMs >= instance.acceptedAtMs + START_TIMEOUT_MS) {
      this.#become(instance, 'failed', 'never ready in its starts');
      return;
    }
    instance.restarts++;
    this.#become(instance, 'exited', 'exited with code 1');
    this.#later(instance, backoffMs, () => this.#start(instance));
  }

  #become(instance: Instance, state: InstanceState, reason: string | null): void {
    instance.state = state;
    instance.readySinceMs = state === 'ready' ? this.#world.timeline.nowMs : Number.POSITIVE_INFINITY;
    instance.reason = reason;
    instance.turn++;
    this.#world.note(() => `agent: ${instance.id} is ${state}`);
  }

  #later(instance: Instance, ms: number, run: () => void): void {
    const { turn } = instance;
    this.#world.timeline.in(ms, () => {
      if (instance.turn === turn && this.instances.get(instance.id) === instance) run();
    });
  }

  #version({ digest }: Instance) {
    const version = this.#world.versions.get(digest);
    if (version === undefined) throw new Error(`no version ${digest}`);
    return version;
  }
}

/** Its process takes requests. */
export function isUp({ state }: Pick<Instance, 'state'>): boolean {
  return state === 'ready' || state === 'unready';
}
