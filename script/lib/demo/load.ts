import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LoadCounters, LoadSummary } from './tally.ts';

export type { LoadCounters, LoadSummary } from './tally.ts';

export interface LoadOptions {
  host: string;
  port: number;
  /** Requests per second, above 0. */
  rps: number;
  /** Default `poisson`. */
  arrivals?: 'poisson' | 'even';
  /** Same seed, same visits. Default 1. */
  seed?: number;
  /** A request without its whole answer by then is lost. Default 10,000. */
  timeoutMs?: number;
}

export type ToWorker = { type: 'rate'; rps: number } | { type: 'stop' };
export type FromWorker =
  | { type: 'counters'; counters: LoadCounters }
  | { type: 'summary'; summary: LoadSummary };

export interface Load {
  /** At most a quarter of a second old. */
  counters(): LoadCounters;
  setRate(rps: number): void;
  /** Stops sending, waits for what is under way, gives the whole account. Safe to call twice. */
  stop(): Promise<LoadSummary>;
}

const NOTHING: LoadCounters = {
  sent: 0,
  answered: 0,
  ok: 0,
  failedByApp: 0,
  lost: 0,
  inFlight: 0,
  versions: {},
};

/** Steady open-loop HTTP load of shop visitors, in a thread of its own so that drawing the terminal does not disturb it. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  expectRate(options.rps);
  const workerData = { arrivals: 'poisson', seed: 1, timeoutMs: 10_000, ...options };
  const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData });
  let counters = NOTHING;
  const summary = new Promise<LoadSummary>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'counters') counters = message.counters;
      else resolve(message.summary);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the load generator ended early (${code})`)));
  });
  // A failure is told to whoever calls stop(); until then it must not end the process.
  summary.catch(() => {});
  await once(worker, 'online');
  const tell = (message: ToWorker) => worker.postMessage(message);
  return {
    counters: () => counters,
    setRate(rps) {
      expectRate(rps);
      tell({ type: 'rate', rps });
    },
    stop() {
      tell({ type: 'stop' });
      return summary;
    },
  };
}

function expectRate(rps: number): void {
  if (!(rps > 0 && rps <= 20_000))
    throw new RangeError(`a rate from 0 to 20,000 requests per second, got ${rps}`);
}
