import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { RouterStats } from '../kernel/dataplane.ts';
import { SlipwayError } from '../kernel/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { seededRandom } from './balance/random.ts';
import { startControl } from './control.ts';
import { Lanes } from './lanes.ts';
import { DEFAULT_TIMEOUTS, type ProxyContext, SWEEP_MS, type Timeouts } from './proxy/context.ts';
import { LaneStore } from './store.ts';

const MIN_TOKEN_CHARACTERS = 16;
/** Idle clients get this long to send a request that is answered with `Connection: close`. */
const CLOSE_NOTICE_MS = 250;
const DEFAULT_STOP_GRACE_MS = 30_000;
const STOP_POLL_MS = 20;

export interface RouterOptions {
  /** Routes are kept in `<dataDirectory>/router/`. */
  dataDirectory: string;
  control: { host: string; port: number };
  /** Bearer token of the control port. */
  token: string;
  clock: Clock;
  log: Logger;
  /** Requests under way at `close` get this long; default 30 s. */
  stopGraceMs?: number;
  timeouts?: Partial<Timeouts>;
  /** Addresses of proxies in front of us, whose X-Forwarded-* fields are believed; none by default. */
  trustedProxies?: readonly string[];
}

export interface Router {
  controlPort: number;
  /** Accepts no more, lets requests under way finish (bounded), then closes everything. Safe to call twice. */
  close(): Promise<void>;
}

/** Starts the data plane: what was applied before a restart serves before the control port opens. */
export async function startRouter(options: RouterOptions): Promise<Router> {
  const { clock, log, token } = options;
  if (token.length < MIN_TOKEN_CHARACTERS) throw new SlipwayError('usage', 'the control token is too short');
  const context: ProxyContext = {
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    monotonicMs: () => performance.now(),
    coarseMs: performance.now(),
    random: seededRandom(Buffer.from(clock.random(4)).readUInt32LE()),
    log,
  };
  const bootId = Buffer.from(clock.random(16)).toString('hex');
  const store = new LaneStore(join(options.dataDirectory, 'router'), log);
  const lanes = new Lanes(store, context, new Set(options.trustedProxies));
  await lanes.restore();
  const sweeper = setInterval(() => {
    context.coarseMs = performance.now();
    lanes.sweep();
  }, SWEEP_MS);
  const stats = (): RouterStats => ({
    bootId,
    atMs: clock.nowMs(),
    lanes: lanes.runtimes().map((runtime) => runtime.counters()),
  });
  const control = await startControl({ ...options.control, token, lanes, stats, log }).catch(
    async (error) => {
      clearInterval(sweeper);
      for (const runtime of await lanes.stopAccepting()) runtime.destroy();
      throw error;
    },
  );
  log.info({ controlPort: control.port, lanes: lanes.runtimes().length }, 'router serves');

  const stop = async (): Promise<void> => {
    control.server.close();
    control.server.closeAllConnections();
    const runtimes = await lanes.stopAccepting();
    const deadline = performance.now() + (options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS);
    await after(CLOSE_NOTICE_MS);
    for (const runtime of runtimes) runtime.finishConnections();
    while (performance.now() < deadline && runtimes.some((runtime) => runtime.busyConnections > 0)) {
      await after(STOP_POLL_MS);
    }
    clearInterval(sweeper);
    for (const runtime of runtimes) runtime.destroy();
  };
  let stopping: Promise<void> | null = null;
  return {
    controlPort: control.port,
    close: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** SIGTERM and SIGINT stop the router gracefully and end the process; a second signal ends it at once. */
export function stopOnSignals(router: Router, log: Logger): void {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked) process.exit(1);
    asked = true;
    log.info({ signal }, 'router stops');
    router.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'router could not stop in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
