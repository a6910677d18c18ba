import { type BackendCounters, LATENCY_EDGES_S } from '../kernel/dataplane.ts';

const LOWEST_EDGE_S = LATENCY_EDGES_S[0]!;
const INVERSE_LOG_STEP = 1 / Math.log(1.12);
const BUCKETS = LATENCY_EDGES_S.length + 1;

/** The bucket `seconds` belongs to: the first edge that is not below it, by logarithm instead of a search. */
export function latencyBucket(seconds: number): number {
  if (!(seconds > LOWEST_EDGE_S)) return 0;
  const guess = Math.min(Math.ceil(Math.log(seconds / LOWEST_EDGE_S) * INVERSE_LOG_STEP), BUCKETS - 1);
  // Edges are rounded to four digits: the logarithm may be one off at an edge.
  if (guess > 0 && seconds <= LATENCY_EDGES_S[guess - 1]!) return guess - 1;
  if (guess < BUCKETS - 1 && seconds > LATENCY_EDGES_S[guess]!) return guess + 1;
  return guess;
}

/** Cumulative figures of one backend, of one version, or of mirrored traffic. */
export class Counters {
  requests = 0;
  errors = 0;
  inFlight = 0;
  latencySumS = 0;
  readonly latency: Float64Array = new Float64Array(BUCKETS);
  /** By first digit of the status, 1 to 5. */
  readonly statusClasses: Float64Array = new Float64Array(6);

  /** `status` is 0 when no answer head came. */
  record(seconds: number, status: number, failed: boolean): void {
    this.requests++;
    if (failed || status >= 500) this.errors++;
    this.latencySumS += seconds;
    this.latency[latencyBucket(seconds)]!++;
    if (status > 0) this.statusClasses[Math.floor(status / 100)]!++;
  }

  figures(): Omit<BackendCounters, 'id' | 'group' | 'digest'> {
    const classes = this.statusClasses;
    return {
      requests: this.requests,
      errors: this.errors,
      inFlight: this.inFlight,
      latency: Array.from(this.latency),
      latencySumS: this.latencySumS,
      status: {
        '1xx': classes[1]!,
        '2xx': classes[2]!,
        '3xx': classes[3]!,
        '4xx': classes[4]!,
        '5xx': classes[5]!,
      },
    };
  }
}
