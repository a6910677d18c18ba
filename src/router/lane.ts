import type { Socket } from 'node:net';
import type { Group, LaneCounters, LaneRoute } from '../kernel/dataplane.ts';
import type { Lane as LaneName } from '../kernel/ids.ts';
import { type Selection, Selector } from './balance/selection.ts';
import { Counters } from './counters.ts';
import type { Frame } from './http/body-decoder.ts';
import type { HeadParser } from './http/head-parser.ts';
import type { RequestHead } from './http/request-head.ts';
import { Backend } from './proxy/backend.ts';
import { ClientConnection } from './proxy/client-connection.ts';
import { MAX_MIRRORS, type ProxyContext } from './proxy/context.ts';
import { type Listener, listen } from './proxy/listener.ts';
import { MirrorExchange } from './proxy/mirror-exchange.ts';
import type { LaneSide } from './proxy/ports.ts';

/** Figures of a backend stay in the statistics this long after the lane stopped listing it. */
const REMOVED_BACKEND_MS = 60_000;
/** Versions whose totals one lane keeps; the oldest go first. */
const MAX_VERSIONS = 64;

/** Totals of one version in one group, for Prometheus: they never go down while the process lives. */
export interface VersionTotals {
  group: Group;
  digest: string;
  counters: Counters;
}

/** One lane at work: its port, its route, its instances, its connections. */
export class LaneRuntime implements LaneSide {
  readonly name: LaneName;
  readonly context: ProxyContext;
  readonly versions: Map<string, VersionTotals> = new Map();
  unrouted = 0;
  mirrorsDropped = 0;
  /** The port the lane had before a restart, where the system chose it. */
  storedPort: number | null = null;
  #route: LaneRoute | null = null;
  #listener: Listener | null = null;
  #selector: Selector<Backend> | null = null;
  #backends: Backend[] = [];
  #removed: Backend[] = [];
  readonly #connections = new Set<ClientConnection>();
  readonly #mirrors = new Set<MirrorExchange>();
  readonly #trustedProxies: ReadonlySet<string>;
  #last = false;

  constructor(name: LaneName, context: ProxyContext, trustedProxies: ReadonlySet<string>) {
    this.name = name;
    this.context = context;
    this.#trustedProxies = trustedProxies;
  }

  get route(): LaneRoute | null {
    return this.#route;
  }

  get listener(): Listener | null {
    return this.#listener;
  }

  get stickyCookie(): LaneRoute['sticky'] {
    return this.#route?.sticky ?? null;
  }

  /** Binds a port for this lane without using it yet. */
  bind(host: string, port: number): Promise<Listener> {
    return listen(host, port, (socket) => this.#accept(socket));
  }

  /** From now on the lane listens there; connections accepted elsewhere end after the answer under way. */
  listenAt(listener: Listener): void {
    if (this.#listener === listener) return;
    this.#listener?.close();
    const moved = this.#listener !== null;
    this.#listener = listener;
    if (moved) for (const connection of this.#connections) connection.finish();
  }

  /** Swaps the routing in one step. Requests under way finish where they are; the next ones follow `route`. */
  apply(route: LaneRoute): void {
    // One that was removed a moment ago and is listed again goes on with its figures.
    const known = new Map([...this.#removed, ...this.#backends].map((backend) => [backend.id, backend]));
    const backends: Backend[] = [];
    for (const wanted of route.backends) {
      const version = this.#version(wanted.group, wanted.digest);
      const before = known.get(wanted.id);
      const same =
        before?.host === wanted.host && before.port === wanted.port && before.digest === wanted.digest;
      if (before === undefined || !same) {
        backends.push(new Backend(wanted, version, this.context));
        continue;
      }
      known.delete(wanted.id);
      before.group = wanted.group;
      before.version = version;
      before.serving = wanted.state === 'serving';
      before.removedAtMs = null;
      backends.push(before);
    }
    for (const gone of known.values()) {
      gone.serving = false;
      gone.removedAtMs ??= this.context.coarseMs;
    }
    this.#removed = [...known.values()];
    this.#backends = backends;
    this.#forgetOldVersions();
    this.#selector = new Selector(route, backends, this.context.random, this.#selector);
    this.#route = route;
    for (const backend of [...backends, ...this.#removed]) if (!backend.serving) backend.sweep();
  }

  #version(group: Group, digest: string): Counters {
    const key = `${group} ${digest}`;
    const known = this.versions.get(key);
    if (known !== undefined) return known.counters;
    const totals: VersionTotals = { group, digest, counters: new Counters() };
    this.versions.set(key, totals);
    return totals.counters;
  }

  #forgetOldVersions(): void {
    const used = new Set(this.#backends.map((backend) => backend.version));
    for (const [key, { counters }] of this.versions) {
      if (this.versions.size <= MAX_VERSIONS) return;
      if (!used.has(counters)) this.versions.delete(key);
    }
  }

  #accept(socket: Socket): void {
    const address = (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '');
    const peer = {
      address,
      localHost: `${socket.localAddress?.includes(':') ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`,
      trusted: this.#trustedProxies.has(address),
    };
    const connection = new ClientConnection(socket, this, peer, (closed) => this.#connections.delete(closed));
    connection.last = this.#last;
    this.#connections.add(connection);
  }

  select(buffer: Buffer, parser: HeadParser): Selection {
    return this.#selector?.select(buffer, parser) ?? { group: 'stable', pinned: null, setCookie: false };
  }

  choose(selection: Selection, tried: readonly Backend[]): Backend | null {
    return this.#selector?.choose(selection, tried, this.context.coarseMs) ?? null;
  }

  chooseMirror(): Backend | null {
    const backend = this.#selector?.mirror(this.context.coarseMs) ?? null;
    if (backend === null || this.#mirrors.size < MAX_MIRRORS) return backend;
    this.mirrorsDropped++;
    return null;
  }

  sendMirror(backend: Backend, head: RequestHead, frames: readonly Frame[]): void {
    this.#mirrors.add(
      new MirrorExchange(backend, head, frames, this.context, (over) => this.#mirrors.delete(over)),
    );
  }

  /** A refusal costs nothing, so the last instance of a group is still tried; one that times out holds clients up. */
  connectFailed(backend: Backend, timedOut: boolean): void {
    const now = this.context.coarseMs;
    const selector = this.#selector;
    if (selector === null) return;
    const replaceable = timedOut
      ? selector.hasHealthyOther(backend, now)
      : selector.hasHealthyPeer(backend, now);
    if (replaceable) backend.eject();
  }

  countUnrouted(): void {
    this.unrouted++;
  }

  sweep(): void {
    const now = this.context.coarseMs;
    for (const connection of this.#connections) connection.sweep(now);
    for (const mirror of this.#mirrors) if (now > mirror.deadlineMs) mirror.cancel();
    for (const backend of this.#backends) backend.sweep();
    if (this.#removed.length === 0) return;
    this.#removed = this.#removed.filter(
      (backend) => backend.counters.inFlight > 0 || now - (backend.removedAtMs ?? now) <= REMOVED_BACKEND_MS,
    );
  }

  inFlight(): Record<string, number> {
    return Object.fromEntries(this.#listed().map((backend) => [backend.id, backend.counters.inFlight]));
  }

  counters(): LaneCounters & { mirrorsDropped: number } {
    const route = this.#route;
    return {
      lane: this.name,
      fence: route?.fence ?? 0,
      weights: route?.weights ?? { stable: 0, baseline: 0, canary: 0 },
      backends: this.#listed().map((backend) => ({
        id: backend.id,
        group: backend.group,
        digest: backend.digest,
        ...backend.counters.figures(),
        mirrored: backend.mirrored.figures(),
      })),
      unrouted: this.unrouted,
      mirrorsDropped: this.mirrorsDropped,
    };
  }

  /** Listed ones, and removed ones unless their id is in use again. */
  #listed(): Backend[] {
    const ids = new Set(this.#backends.map((backend) => backend.id));
    return [...this.#backends, ...this.#removed.filter((backend) => !ids.has(backend.id))];
  }

  get busyConnections(): number {
    let busy = 0;
    for (const connection of this.#connections) if (connection.busy) busy++;
    return busy;
  }

  /** Accepts no more; every answer from now on says that it is the last on its connection. */
  stopAccepting(): void {
    this.#last = true;
    this.#listener?.close();
    this.#listener = null;
    for (const connection of this.#connections) connection.last = true;
  }

  /** Ends idle connections now and the others after their answer. */
  finishConnections(): void {
    for (const connection of this.#connections) connection.finish();
  }

  /** Breaks what is left. */
  destroy(): void {
    this.stopAccepting();
    for (const connection of this.#connections) connection.destroy();
    for (const mirror of this.#mirrors) mirror.cancel();
    for (const backend of [...this.#backends, ...this.#removed]) {
      backend.serving = false;
      backend.sweep();
    }
  }
}
