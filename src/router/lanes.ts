import { canonicalJson } from '../kernel/canonical.ts';
import type { LaneRoute } from '../kernel/dataplane.ts';
import { isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import type { Lane } from '../kernel/ids.ts';
import type { AppliedLane } from '../platform/router-client.ts';
import { LaneRuntime } from './lane.ts';
import type { ProxyContext } from './proxy/context.ts';
import type { LaneStore, StoredLane } from './store.ts';

const MAX_LANES = 4_096;
const REBIND_MS = 500;

interface Entry {
  /** Highest fence seen; survives the removal of the lane. */
  fence: number;
  runtime: LaneRuntime | null;
}

/** All lanes of the router. Commands run one at a time, so that fence, disk, port and routing change together. */
export class Lanes {
  readonly #entries = new Map<Lane, Entry>();
  readonly #store: LaneStore;
  readonly #context: ProxyContext;
  readonly #trustedProxies: ReadonlySet<string>;
  #queue: Promise<unknown> = Promise.resolve();
  #retryAtMs = 0;
  #closed = false;

  constructor(store: LaneStore, context: ProxyContext, trustedProxies: ReadonlySet<string>) {
    this.#store = store;
    this.#context = context;
    this.#trustedProxies = trustedProxies;
  }

  /** Serves what was applied before the restart. A port that is taken is tried again by `sweep`. */
  async restore(): Promise<void> {
    for (const stored of await this.#store.load()) {
      const entry: Entry = { fence: stored.fence, runtime: null };
      this.#entries.set(stored.lane, entry);
      if (stored.route !== null) await this.#restoreLane(entry, stored, stored.route);
    }
  }

  async #restoreLane(entry: Entry, stored: StoredLane, route: LaneRoute): Promise<void> {
    const runtime = new LaneRuntime(stored.lane, this.#context, this.#trustedProxies);
    runtime.storedPort = stored.port;
    runtime.apply(route);
    entry.runtime = runtime;
    await this.#rebind(runtime, route);
  }

  async #rebind(runtime: LaneRuntime, route: LaneRoute): Promise<void> {
    const { host, port } = route.listen;
    const wanted = port === 0 ? (runtime.storedPort ?? 0) : port;
    try {
      const listener = await runtime.bind(host, wanted);
      if (this.#closed || this.#entries.get(runtime.name)?.runtime !== runtime) listener.close();
      else runtime.listenAt({ ...listener, requestedPort: port });
    } catch (error) {
      if (!isSlipwayError(error)) throw error;
      this.#context.log.error({ lane: runtime.name, host, port: wanted, code: error.code }, error.message);
    }
  }

  /** See `RouterClient.apply`. The route is on disk before it is used, and used before this resolves. */
  apply(route: LaneRoute): Promise<AppliedLane> {
    return this.#serialized(async () => {
      const before = this.#entries.get(route.lane);
      if (before !== undefined && route.fence <= before.fence) {
        const current = before.runtime?.route ?? null;
        const same =
          route.fence === before.fence && current !== null && canonicalJson(current) === canonicalJson(route);
        if (!same) throw staleFence(route.lane, route.fence, before.fence);
        return this.#describe(before);
      }
      if (before === undefined && this.#entries.size >= MAX_LANES) {
        throw new SlipwayError('payload_too_large', `the router carries ${MAX_LANES} lanes already`);
      }
      return await this.#change(route, before);
    });
  }

  async #change(route: LaneRoute, before: Entry | undefined): Promise<AppliedLane> {
    const runtime = before?.runtime ?? new LaneRuntime(route.lane, this.#context, this.#trustedProxies);
    const { host, port } = route.listen;
    const old = runtime.listener;
    const stays =
      old !== null && old.host === host && (old.port === port || (port === 0 && old.requestedPort === 0));
    const listener = stays ? old : await runtime.bind(host, port);
    try {
      await this.#store.save({ lane: route.lane, fence: route.fence, route, port: listener.port });
    } catch (error) {
      if (!stays) listener.close();
      throw error;
    }
    const entry: Entry = { fence: route.fence, runtime };
    this.#entries.set(route.lane, entry);
    runtime.storedPort = listener.port;
    runtime.apply(route);
    runtime.listenAt(listener);
    return this.#describe(entry);
  }

  get(lane: Lane): AppliedLane | null {
    const entry = this.#entries.get(lane);
    return entry === undefined || entry.runtime === null ? null : this.#describe(entry);
  }

  /** Stops serving the lane: requests under way finish. False when there was none. The fence is remembered. */
  remove(lane: Lane, fence: number): Promise<boolean> {
    return this.#serialized(async () => {
      const entry = this.#entries.get(lane);
      if (entry === undefined) return false;
      if (fence < entry.fence) throw staleFence(lane, fence, entry.fence);
      if (entry.runtime === null && fence === entry.fence) return false;
      await this.#store.save({ lane, fence, route: null, port: null });
      entry.fence = fence;
      const { runtime } = entry;
      if (runtime !== null) {
        runtime.stopAccepting();
        runtime.finishConnections();
        this.#leaving.add(runtime);
        entry.runtime = null;
      }
      return runtime !== null;
    });
  }

  /** Removed lanes whose last requests are still under way. */
  readonly #leaving = new Set<LaneRuntime>();

  #describe(entry: Entry): AppliedLane {
    const runtime = entry.runtime!;
    const { listener } = runtime;
    return {
      route: runtime.route!,
      fence: entry.fence,
      listening: listener === null ? null : { host: listener.host, port: listener.port },
      inFlight: runtime.inFlight(),
    };
  }

  runtimes(): LaneRuntime[] {
    return [...this.#entries.values()].flatMap((entry) => (entry.runtime === null ? [] : [entry.runtime]));
  }

  sweep(): void {
    for (const runtime of this.runtimes()) runtime.sweep();
    for (const runtime of this.#leaving) {
      runtime.sweep();
      if (runtime.busyConnections > 0) continue;
      runtime.destroy();
      this.#leaving.delete(runtime);
    }
    this.#retryBinding();
  }

  #retryBinding(): void {
    if (this.#closed || this.#context.coarseMs < this.#retryAtMs) return;
    this.#retryAtMs = this.#context.coarseMs + REBIND_MS;
    for (const runtime of this.runtimes()) {
      if (runtime.listener !== null) continue;
      void this.#serialized(async () => {
        if (runtime.listener === null && runtime.route !== null) await this.#rebind(runtime, runtime.route);
      });
    }
  }

  #serialized<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** After this no command changes anything and no port opens. */
  async stopAccepting(): Promise<LaneRuntime[]> {
    this.#closed = true;
    await this.#queue;
    const all = [...this.runtimes(), ...this.#leaving];
    for (const runtime of all) runtime.stopAccepting();
    return all;
  }
}

function staleFence(lane: Lane, fence: number, highest: number): SlipwayError {
  return new SlipwayError('stale_fence', `fence ${fence} for ${lane} is not above ${highest}`, {
    hint: 'Another worker moved the lane on. Load it again.',
    facts: { fence, highest },
  });
}
