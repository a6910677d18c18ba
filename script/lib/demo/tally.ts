/** What became of one request. `lost`: nobody answered it, or a proxy answered in the shop's place. */
export type OutcomeKind = 'ok' | 'app-failure' | 'lost';

export interface Outcome {
  endpoint: string;
  /** `x-shop-version` of the answer; null when nothing of the shop answered. */
  version: string | null;
  kind: OutcomeKind;
  /** `status 500`, `connect ECONNREFUSED`, `ECONNRESET`, `timeout`; null when it went well. */
  problem: string | null;
  latencyMs: number;
  /** When it ended, milliseconds since the epoch. */
  atMs: number;
}

export interface Quantiles {
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

export interface Figures extends Quantiles {
  requests: number;
  failedByApp: number;
  lost: number;
}

export interface VersionFigures extends Figures {
  firstAtMs: number;
  lastAtMs: number;
  firstFailureAtMs: number | null;
  lastFailureAtMs: number | null;
  endpoints: Record<string, Figures>;
}

/** Counts so far; small enough to send four times a second. */
export interface LoadCounters {
  sent: number;
  answered: number;
  ok: number;
  failedByApp: number;
  lost: number;
  inFlight: number;
  versions: Record<string, { requests: number; failedByApp: number; lastAtMs: number }>;
}

export interface LoadSummary extends Figures {
  startedAtMs: number;
  endedAtMs: number;
  sent: number;
  /** Requests by what went wrong. */
  problems: Record<string, number>;
  endpoints: Record<string, Figures>;
  versions: Record<string, VersionFigures>;
  /** The first lost requests, for the person who has to find out why. */
  losses: { atMs: number; endpoint: string; problem: string }[];
  /** How late the generator itself sent, p99: an honest figure for a machine that is too busy. */
  lateMs: number | null;
}

const LOSSES_KEPT = 50;
/** Latency buckets are 3 % apart, from 0.05 ms. */
const FIRST_MS = 0.05;
const STEP = Math.log(1.03);
const BUCKETS = 480;

export interface Histogram {
  add(ms: number): void;
  quantile(q: number): number | null;
}

export function createHistogram(): Histogram {
  const counts = new Uint32Array(BUCKETS);
  let total = 0;
  return {
    add(ms) {
      const at = ms <= FIRST_MS ? 0 : Math.ceil(Math.log(ms / FIRST_MS) / STEP);
      counts[Math.min(at, BUCKETS - 1)]!++;
      total++;
    },
    quantile(q) {
      if (total === 0) return null;
      let below = 0;
      for (let i = 0; i < BUCKETS; i++) {
        below += counts[i]!;
        if (below >= q * total) return Number((FIRST_MS * Math.exp(i * STEP)).toPrecision(3));
      }
      return null;
    },
  };
}

interface Cell {
  requests: number;
  failedByApp: number;
  lost: number;
  latency: Histogram;
}

function newCell(): Cell {
  return { requests: 0, failedByApp: 0, lost: 0, latency: createHistogram() };
}

function count(cell: Cell, outcome: Outcome): void {
  cell.requests++;
  if (outcome.kind === 'app-failure') cell.failedByApp++;
  if (outcome.kind === 'lost') cell.lost++;
  cell.latency.add(outcome.latencyMs);
}

function figures(cell: Cell): Figures {
  const { requests, failedByApp, lost, latency } = cell;
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((q) => latency.quantile(q)) as [number, number, number];
  return { requests, failedByApp, lost, p50Ms, p95Ms, p99Ms };
}

interface VersionCell extends Cell {
  firstAtMs: number;
  lastAtMs: number;
  firstFailureAtMs: number | null;
  lastFailureAtMs: number | null;
  endpoints: Map<string, Cell>;
}

export interface Tally {
  record(outcome: Outcome): void;
  counters(): Pick<LoadCounters, 'answered' | 'ok' | 'failedByApp' | 'lost' | 'versions'>;
  summary(): Omit<LoadSummary, 'startedAtMs' | 'endedAtMs' | 'sent' | 'lateMs'>;
}

export function createTally(): Tally {
  const all = newCell();
  const endpoints = new Map<string, Cell>();
  const versions = new Map<string, VersionCell>();
  const problems = new Map<string, number>();
  const losses: LoadSummary['losses'] = [];
  return {
    record(outcome) {
      count(all, outcome);
      count(cellOf(endpoints, outcome.endpoint), outcome);
      if (outcome.version !== null) countVersion(versions, outcome.version, outcome);
      if (outcome.problem === null) return;
      problems.set(outcome.problem, (problems.get(outcome.problem) ?? 0) + 1);
      if (outcome.kind === 'lost' && losses.length < LOSSES_KEPT) {
        losses.push({ atMs: outcome.atMs, endpoint: outcome.endpoint, problem: outcome.problem });
      }
    },
    counters: () => ({
      answered: all.requests,
      ok: all.requests - all.failedByApp - all.lost,
      failedByApp: all.failedByApp,
      lost: all.lost,
      versions: mapValues(versions, ({ requests, failedByApp, lastAtMs }) => ({
        requests,
        failedByApp,
        lastAtMs,
      })),
    }),
    summary: () => ({
      ...figures(all),
      problems: Object.fromEntries(problems),
      endpoints: mapValues(endpoints, figures),
      versions: mapValues(versions, (cell) => ({
        ...figures(cell),
        firstAtMs: cell.firstAtMs,
        lastAtMs: cell.lastAtMs,
        firstFailureAtMs: cell.firstFailureAtMs,
        lastFailureAtMs: cell.lastFailureAtMs,
        endpoints: mapValues(cell.endpoints, figures),
      })),
      losses,
    }),
  };
}

function countVersion(versions: Map<string, VersionCell>, version: string, outcome: Outcome): void {
  let cell = versions.get(version);
  if (cell === undefined) {
    const { atMs } = outcome;
    cell = {
      ...newCell(),
      firstAtMs: atMs,
      lastAtMs: atMs,
      firstFailureAtMs: null,
      lastFailureAtMs: null,
      endpoints: new Map(),
    };
    versions.set(version, cell);
  }
  count(cell, outcome);
  count(cellOf(cell.endpoints, outcome.endpoint), outcome);
  cell.lastAtMs = outcome.atMs;
  if (outcome.kind !== 'ok') {
    cell.firstFailureAtMs ??= outcome.atMs;
    cell.lastFailureAtMs = outcome.atMs;
  }
}

function cellOf(cells: Map<string, Cell>, key: string): Cell {
  let cell = cells.get(key);
  if (cell === undefined) {
    cell = newCell();
    cells.set(key, cell);
  }
  return cell;
}

function mapValues<In, Out>(map: ReadonlyMap<string, In>, change: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries([...map].map(([key, value]) => [key, change(value)]));
}
