import { type BackendCounters, type Group, LATENCY_EDGES_S } from '../../kernel/dataplane.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { AnalysisSpec } from '../../kernel/rollout.ts';
import type { Snapshot } from './counters.ts';

/** Traffic for tests: a router whose counters move as told, deterministic, errors spread evenly. */

export const OLD = `sha256:${'a'.repeat(64)}` as Digest;
export const NEW = `sha256:${'b'.repeat(64)}` as Digest;

export const SPEC: AnalysisSpec = {
  alpha: 0.05,
  errors: { weight: 0.6, failRho: 1.1, failDelta: 1e-4, passRho: 1.5, passDelta: 0.003 },
  latency: [{ quantile: 0.99, weight: 0.4, failRho: 1.04, passRho: 1.5, passDelta: 0.005 }],
  warmupS: 2,
  staleS: 10,
};

export const ERRORS_ONLY: AnalysisSpec = { ...SPEC, latency: [] };

/** Per instance and second. */
export interface Load {
  rps: number;
  /** Share of failed requests. */
  errors?: number;
  /** Share of requests of 300 ms; the rest take 20 ms. */
  slow?: number;
}

const bucket = (seconds: number) => LATENCY_EDGES_S.findIndex((edge) => seconds <= edge);
const FAST = bucket(0.02);
const SLOW = bucket(0.3);

export class Traffic {
  atMs: number;
  bootId = 'boot-1';
  canaryWeight = 0;
  private readonly backends = new Map<string, BackendCounters & { owed: { errors: number; slow: number } }>();

  constructor(atMs = 1_000_000) {
    this.atMs = atMs;
  }

  add(id: string, group: Group, digest: Digest = group === 'canary' ? NEW : OLD): this {
    this.backends.set(id, {
      id,
      group,
      digest,
      requests: 0,
      errors: 0,
      latency: new Array<number>(LATENCY_EDGES_S.length + 1).fill(0),
      latencySumS: 0,
      inFlight: 0,
      status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
      owed: { errors: 0, slow: 0 },
    });
    return this;
  }

  remove(id: string): this {
    this.backends.delete(id);
    return this;
  }

  regroup(id: string, group: Group): this {
    const backend = this.backends.get(id);
    if (backend) backend.group = group;
    return this;
  }

  /** The router started anew: its counters are 0. */
  reboot(): this {
    this.bootId = `${this.bootId}+`;
    for (const { id, group, digest } of [...this.backends.values()]) this.add(id, group, digest);
    return this;
  }

  /** One instance started anew under the same id. */
  reset(id: string): this {
    const backend = this.backends.get(id);
    if (backend) this.add(id, backend.group, backend.digest);
    return this;
  }

  /** Lets time pass; loads by instance id, or by group for all of it. */
  run(seconds: number, loads: Readonly<Record<string, Load>>): this {
    this.atMs += seconds * 1000;
    for (const backend of this.backends.values()) {
      const load = loads[backend.id] ?? loads[backend.group];
      if (!load) continue;
      const requests = Math.round(load.rps * seconds);
      backend.owed.errors += requests * (load.errors ?? 0);
      backend.owed.slow += requests * (load.slow ?? 0.01);
      const errors = Math.min(requests, Math.floor(backend.owed.errors + 1e-9));
      const slow = Math.min(requests, Math.floor(backend.owed.slow + 1e-9));
      backend.owed.errors -= errors;
      backend.owed.slow -= slow;
      backend.requests += requests;
      backend.errors += errors;
      const latency = [...backend.latency];
      latency[SLOW]! += slow;
      latency[FAST]! += requests - slow;
      backend.latency = latency;
    }
    return this;
  }

  snapshot(): Snapshot {
    const backends = [...this.backends.values()].map(({ owed: _, ...counters }) => ({ ...counters }));
    return { atMs: this.atMs, bootId: this.bootId, canaryWeight: this.canaryWeight, backends };
  }
}
