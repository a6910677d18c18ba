import {
  type BackendCounters,
  type Group,
  LATENCY_EDGES_S,
  type RouterStats,
} from '../../src/kernel/dataplane.ts';
import type { Digest } from '../../src/kernel/digest.ts';
import type { AnalysisSpec } from '../../src/kernel/rollout.ts';
import { type AnalysisState, analyze } from '../../src/stages/analyze/plan.ts';
import { type HistoryRecorder, historyRecorder } from '../../src/stages/analyze/recorder.ts';
import { type Random, seeded } from './random.ts';

/**
 * The demonstration's third release, second by second: a lane of four instances at 400 requests a second, whose version is a
 * minute old; then a canary with a quarter of the traffic beside three fresh instances of the old version. The shop's own
 * latencies: a checkout (one request in five) takes log-normal 8 ms; the bad version fails 1.9 % of them and makes 9.5 % wait
 * for another 13 ms. All instances pause now and then, and nobody ever saw an error of the old version.
 */

export const SPEC: AnalysisSpec = {
  alpha: 0.05,
  errors: { weight: 1 / 3, failRho: 1.1, failDelta: 1e-4, passRho: 1.5, passDelta: 0.01 },
  latency: [
    { quantile: 0.95, weight: 1 / 3, failRho: 1.04, passRho: 1.5, passDelta: 0.03 },
    { quantile: 0.99, weight: 1 / 3, failRho: 1.04, passRho: 1.5, passDelta: 0.02 },
  ],
  warmupS: 2,
  staleS: 10,
};

const RPS = 400;
/** Seconds: the version before serves, the present one takes a quarter, then all; then the canary starts. */
const OLDEST_S = -75;
const FIRST_SHARE_S = -45;
const TAKEOVER_S = -15;
const STARTED_S = 3;
const END_S = 150;

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;
const V1 = digest('1');
const V2 = digest('2');
const V3 = digest('3');

export interface Service {
  /** Share of checkouts that fail, and that wait for another answer. */
  fails: number;
  waits: number;
  /** Mean size of the clumps failures come in (geometric, within a second). */
  clump: number;
  /** Seconds between pauses of an instance, and how long one is. */
  pauseEveryS: number;
  pauseS: number;
}

export const SOUND: Service = { fails: 0, waits: 0, clump: 1, pauseEveryS: 10, pauseS: 0.03 };
export const BAD: Service = { ...SOUND, fails: 0.019, waits: 0.095 };

/** Seconds a step lasts at least, as the demonstration's strategy says. */
const STEP_S = 5;

export interface Outcome {
  /** Seconds after the canary's first request until the first step was passed, and until the second: all traffic. */
  passedAtS: number | null;
  promotedAtS: number | null;
  /** Seconds after the canary's first request until FAIL; null: never. */
  failedAtS: number | null;
  /** Failed requests of the canary until then. */
  failures: number;
  reason: string;
}

class Instance {
  readonly counters: BackendCounters;
  group: Group;
  constructor(id: string, group: Group, of: Digest) {
    this.group = group;
    this.counters = {
      id,
      group,
      digest: of,
      requests: 0,
      errors: 0,
      latency: new Array<number>(LATENCY_EDGES_S.length + 1).fill(0),
      latencySumS: 0,
      inFlight: 0,
      status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
    };
  }

  serve(random: Random, requests: number, service: Service): void {
    const { counters } = this;
    const n = random.poisson(requests);
    const pauses = random.poisson(1 / service.pauseEveryS);
    const paused = Math.min(n, random.poisson(n * pauses * service.pauseS));
    const latency = counters.latency as number[];
    for (let i = 0; i < n; i++) {
      const checkout = random.uniform() < 0.2;
      let ms = checkout ? 1 + 8 * Math.exp(0.35 * random.normal()) : 1.5 * Math.exp(0.5 * random.normal());
      if (checkout && random.uniform() < service.waits) ms += 13 * Math.exp(0.35 * random.normal());
      if (i < paused) ms += random.uniform() * service.pauseS * 1000;
      latency[bucketOf(ms / 1000)]! += 1;
    }
    let failed = 0;
    for (let clumps = random.poisson((n * 0.2 * service.fails) / service.clump); clumps > 0; clumps--)
      failed += service.clump <= 1 ? 1 : random.geometric(service.clump);
    counters.requests += n;
    counters.errors += Math.min(n, failed);
  }

  snapshot(): BackendCounters {
    return { ...this.counters, group: this.group, latency: [...this.counters.latency] };
  }
}

function bucketOf(seconds: number): number {
  const found = LATENCY_EDGES_S.findIndex((edge) => seconds <= edge);
  return found < 0 ? LATENCY_EDGES_S.length : found;
}

interface Fleet {
  instances: Instance[];
  /** Requests a second of one instance. */
  rps(instance: Instance): number;
  canaryWeight: number;
}

/** Who serves at a second; the instances are made once. */
function fleets(): (second: number, share: number) => Fleet {
  const make = (name: string, group: Group, of: Digest, count: number) =>
    Array.from({ length: count }, (_, i) => new Instance(`${name}${i + 1}`, group, of));
  const v1 = make('one-', 'stable', V1, 4);
  const v2 = make('two-', 'canary', V2, 4);
  const baseline = make('base-', 'baseline', V2, 3);
  const canary = make('three-', 'canary', V3, 2);
  const first = v2.slice(0, 1);
  return (second, share) => {
    if (second < FIRST_SHARE_S) return { instances: v1, rps: () => RPS / 4, canaryWeight: 0 };
    if (second < TAKEOVER_S) {
      const rps = (one: Instance) => (first.includes(one) ? RPS / 4 : (RPS * 3) / 16);
      return { instances: [...v1, ...first], rps, canaryWeight: 25 };
    }
    if (second < 0) return { instances: v2, rps: () => RPS / 4, canaryWeight: 100 };
    for (const one of v2) one.group = 'stable';
    const canaries = share > 25 ? canary : canary.slice(0, 1);
    const instances = [...v2, ...baseline, ...canaries];
    if (second < STARTED_S)
      return { instances, rps: (one) => (v2.includes(one) ? RPS / 4 : 0), canaryWeight: 0 };
    const part = (one: Instance) => (canary.includes(one) ? share / canaries.length : (100 - share) / 3);
    return { instances, rps: (one) => (v2.includes(one) ? 0 : (RPS * part(one)) / 100), canaryWeight: share };
  };
}

/** One rollout of `next` after `old`; the worker has watched since `watchedFromS`. */
export function handover(
  seed: number,
  next: Service,
  old: Service = SOUND,
  watchedFromS = OLDEST_S,
): Outcome {
  const random = seeded(seed);
  const at = fleets();
  const recorder = historyRecorder();
  let state: AnalysisState | null = null;
  let share = 25;
  let stepAtS = STARTED_S;
  let passedAtS: number | null = null;
  for (let second = OLDEST_S; second < END_S; second++) {
    const fleet = at(second, share);
    for (const one of fleet.instances)
      one.serve(random, fleet.rps(one), one.counters.digest === V3 ? next : old);
    const backends = fleet.instances.map((one) => one.snapshot());
    const stats = statsAt(second + 1, backends, fleet.canaryWeight);
    if (second >= watchedFromS) recorder.observe(stats);
    if (second < 0) continue;
    const snapshot = { atMs: stats.atMs, bootId: stats.bootId, canaryWeight: fleet.canaryWeight, backends };
    const history = state === null ? historyOf(recorder) : null;
    const now = analyze(SPEC, state, snapshot, stats.atMs, { history });
    state = now.state;
    const sinceS = second + 1 - STARTED_S;
    if (now.verdict === 'pass' && second + 1 - stepAtS >= STEP_S) {
      if (passedAtS !== null) return { ...NEVER, passedAtS, promotedAtS: sinceS };
      passedAtS = sinceS;
      share = 50;
      stepAtS = second + 1;
    }
    if (now.verdict !== 'fail') continue;
    const ofCanary = backends.filter(({ digest: of }) => of === V3);
    const failures = ofCanary.reduce((all, { errors }) => all + errors, 0);
    return { passedAtS, promotedAtS: null, failedAtS: sinceS, failures, reason: now.reason };
  }
  return { ...NEVER, passedAtS };
}

const NEVER: Outcome = { passedAtS: null, promotedAtS: null, failedAtS: null, failures: 0, reason: '' };

function historyOf(recorder: HistoryRecorder) {
  return recorder.of('shop/prod', { digest: V3, previousDigest: V2 });
}

function statsAt(second: number, backends: BackendCounters[], canaryWeight: number): RouterStats {
  const weights = { stable: 100 - canaryWeight, baseline: 0, canary: canaryWeight };
  return {
    bootId: 'boot',
    atMs: 1_800_000_000_000 + second * 1000,
    lanes: [{ lane: 'shop/prod', fence: 1, weights, backends, unrouted: 0 }],
  };
}

if (import.meta.main) {
  const runs = Number(process.argv[process.argv.indexOf('--runs') + 1] || 200);
  const rows: [string, Service, Service][] = [
    ['the bad version', BAD, SOUND],
    ['errors alone', { ...BAD, waits: 0 }, SOUND],
    ['waits alone', { ...BAD, fails: 0 }, SOUND],
    ['no worse', SOUND, SOUND],
    ['no worse, pauses of 100 ms', ...twice({ ...SOUND, pauseS: 0.1 })],
    [
      'no worse, an instance stalls for a second now and then',
      ...twice({ ...SOUND, pauseEveryS: 60, pauseS: 1 }),
    ],
    ['no worse, 0.04 % errors in clumps of 3', ...twice({ ...SOUND, fails: 0.002, clump: 3 })],
    ['no worse, 0.2 % errors in clumps of 5', ...twice({ ...SOUND, fails: 0.01, clump: 5 })],
    ['no worse, 0.02 % errors in clumps of 5', ...twice({ ...SOUND, fails: 0.001, clump: 5 })],
  ];
  for (const [name, next, old] of rows) {
    const outcomes = Array.from({ length: runs }, (_, i) => handover(1000 + i, next, old));
    const failed = outcomes.filter(({ failedAtS }) => failedAtS !== null);
    const by: Record<string, number> = {};
    for (const { reason } of failed) {
      const metric = reason.slice(0, reason.indexOf(':'));
      by[metric] = (by[metric] ?? 0) + 1;
    }
    const quantile = (values: (number | null)[], q: number) => {
      const known = values.filter((value) => value !== null).sort((x, y) => x - y);
      return known[Math.floor(q * (known.length - 1))] ?? '-';
    };
    const share = (part: readonly unknown[]) => `${((100 * part.length) / runs).toFixed(1)} %`;
    const promoted = outcomes.filter(({ promotedAtS }) => promotedAtS !== null);
    const fails = failed.map(({ failedAtS }) => failedAtS);
    const promotions = promoted.map(({ promotedAtS }) => promotedAtS);
    console.log(
      `${name}: failed ${share(failed)}, median ${quantile(fails, 0.5)} s, p90 ${quantile(fails, 0.9)} s, ${quantile(
        failed.map(({ failures }) => failures),
        0.5,
      )} failures; promoted ${share(promoted)}, median ${quantile(promotions, 0.5)} s, p90 ${quantile(promotions, 0.9)} s`,
      JSON.stringify(by),
    );
  }
}

function twice(service: Service): [Service, Service] {
  return [service, service];
}
