import { GROUPS, type Group, type LaneRoute } from '../../kernel/dataplane.ts';
import { shortDigest } from '../../kernel/digest.ts';
import type { HeadParser } from '../http/head-parser.ts';
import { headerEquals, requestCookie } from './cookies.ts';
import { Deck } from './deck.ts';

/** What choosing needs to know of an instance. */
export interface Candidate {
  readonly digest: string;
  group: Group;
  serving: boolean;
  ejectedUntilMs: number;
  readonly counters: { inFlight: number };
}

/** Where one request should go, before it is known who can take it. */
export interface Selection {
  group: Group;
  /** Short digest of the version a sticky visitor saw; null when any version of the group will do. */
  pinned: string | null;
  /** The answer sets the sticky cookie. */
  setCookie: boolean;
}

/** Chooses groups by match, cookie and weight, and instances within a group. One per applied route. */
export class Selector<Backend extends Candidate> {
  readonly #route: LaneRoute;
  readonly #deck: Deck;
  readonly #mirrorDeck: Deck | null;
  readonly #byGroup: Readonly<Record<Group, readonly Backend[]>>;
  readonly #fixed: Selection | null;
  #turn = 0;

  /** `before`: the selector of the previous route; its draw goes on where the weights stay as they were. */
  constructor(
    route: LaneRoute,
    backends: readonly Backend[],
    random: () => number,
    before: Selector<Backend> | null,
  ) {
    this.#route = route;
    const of = (group: Group) => backends.filter((backend) => backend.serving && backend.group === group);
    this.#byGroup = { stable: of('stable'), baseline: of('baseline'), canary: of('canary') };
    const weights = GROUPS.map((group) => route.weights[group]);
    const same =
      before !== null && GROUPS.every((group) => before.#route.weights[group] === route.weights[group]);
    this.#deck = same ? before.#deck : new Deck(weights, random);
    this.#mirrorDeck =
      route.mirror === null ? null : new Deck([route.mirror.percent, 100 - route.mirror.percent], random);
    const only = weights.indexOf(100);
    const plain = route.match.length === 0 && route.sticky === null;
    this.#fixed = plain && only >= 0 ? { group: GROUPS[only]!, pinned: null, setCookie: false } : null;
  }

  /** The group for a request: the first match, else the group of a sticky visitor, else a draw by weight. */
  select(buffer: Buffer, parser: HeadParser): Selection {
    if (this.#fixed !== null) return this.#fixed;
    const { match, sticky } = this.#route;
    for (const rule of match) {
      const { header, cookie } = rule;
      if (header !== undefined && !headerEquals(buffer, parser, header.name.toLowerCase(), header.value))
        continue;
      if (cookie !== undefined && requestCookie(buffer, parser, cookie.name) !== cookie.value) continue;
      return { group: rule.group, pinned: null, setCookie: false };
    }
    if (sticky === null) return { group: this.#draw(), pinned: null, setCookie: false };
    const known = this.#knownVisitor(requestCookie(buffer, parser, sticky.cookie));
    return known ?? { group: this.#draw(), pinned: null, setCookie: true };
  }

  #draw(): Group {
    return GROUPS[this.#deck.draw()]!;
  }

  /** The cookie comes from the client: it counts only where weight and instances allow what it says. */
  #knownVisitor(cookie: string | null): Selection | null {
    if (cookie === null) return null;
    const dot = cookie.indexOf('.');
    const group = GROUPS.find((name) => name === cookie.slice(0, dot));
    const pinned = cookie.slice(dot + 1);
    if (group === undefined || this.#route.weights[group] <= 0) return null;
    const present = this.#byGroup[group].some((backend) => shortDigest(backend.digest) === pinned);
    return present ? { group, pinned, setCookie: false } : null;
  }

  /**
   * The instance for a request that was not sent to any in `tried`; null when none is left. The selected group comes
   * first, then groups with a weight, stable before the others, and a group without a weight only when nothing else
   * serves. Ejected instances come after all others.
   */
  choose(selection: Selection, tried: readonly Backend[], nowMs: number): Backend | null {
    const own = this.#byGroup[selection.group];
    const first = this.#least(own, selection.pinned, tried, nowMs, false);
    if (first !== null) return first;
    const order = [...GROUPS].sort((a, b) => Number(this.#idleGroup(a)) - Number(this.#idleGroup(b)));
    for (const ejectedToo of [false, true]) {
      for (const group of [selection.group, ...order]) {
        const found = this.#least(this.#byGroup[group], null, tried, nowMs, ejectedToo);
        if (found !== null) return found;
      }
    }
    return null;
  }

  #idleGroup(group: Group): boolean {
    return this.#route.weights[group] <= 0;
  }

  /** Fewest requests in flight; among equals the next in turn. */
  #least(
    backends: readonly Backend[],
    pinned: string | null,
    tried: readonly Backend[],
    nowMs: number,
    ejectedToo: boolean,
  ): Backend | null {
    let best: Backend | null = null;
    const count = backends.length;
    if (count === 0) return null;
    this.#turn++;
    for (let i = 0; i < count; i++) {
      const backend = backends[(this.#turn + i) % count]!;
      if (!ejectedToo && backend.ejectedUntilMs > nowMs) continue;
      if (best !== null && backend.counters.inFlight >= best.counters.inFlight) continue;
      if (pinned !== null && shortDigest(backend.digest) !== pinned) continue;
      if (tried.length > 0 && tried.includes(backend)) continue;
      best = backend;
    }
    return best;
  }

  /** An instance for a copy of the request; null when this one is not mirrored. */
  mirror(nowMs: number): Backend | null {
    const { mirror } = this.#route;
    if (mirror === null || this.#mirrorDeck === null || this.#mirrorDeck.draw() !== 0) return null;
    return this.#least(this.#byGroup[mirror.group], null, [], nowMs, false);
  }

  /** Another instance in good health stands beside `backend` in its group. */
  hasHealthyPeer(backend: Backend, nowMs: number): boolean {
    return this.#byGroup[backend.group].some((other) => other !== backend && other.ejectedUntilMs <= nowMs);
  }

  /** Another instance in good health serves the lane at all. */
  hasHealthyOther(backend: Backend, nowMs: number): boolean {
    return GROUPS.some((group) =>
      this.#byGroup[group].some((other) => other !== backend && other.ejectedUntilMs <= nowMs),
    );
  }
}
