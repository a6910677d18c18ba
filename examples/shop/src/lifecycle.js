import { setTimeout as wait } from 'node:timers/promises';

/**
 * starting -> ready -> stopping. On a stop signal the shop says "not ready" at once, keeps answering for `lameDuckMs` (a
 * balancer that has not noticed yet still sends), then takes no new connection, finishes what is under way, closes idle
 * connections and exits 0; after `graceMs` it gives up and exits 1.
 */
export function createLifecycle({ log, lameDuckMs = 300, graceMs = 8_000, exit = process.exit }) {
  let state = 'starting';
  return {
    state: () => state,
    ready: () => state === 'ready',
    stopping: () => state === 'stopping',
    /** Runs `work` after the listening socket is up, then says ready. */
    warm(work) {
      setImmediate(() => {
        const began = performance.now();
        work();
        if (state !== 'starting') return;
        state = 'ready';
        log.info('ready', { warmedInMs: Math.round(performance.now() - began) });
      });
    },
    stopOn(server, signals) {
      const stop = async (signal) => {
        if (state === 'stopping') return;
        state = 'stopping';
        log.info('stopping', { signal });
        setTimeout(() => {
          log.error('requests did not finish within the grace time', { graceMs });
          exit(1);
        }, graceMs).unref();
        await wait(lameDuckMs);
        // Idle connections are closed here and, as they fall idle, by `connection: close` on their last answer.
        server.close(() => {
          log.info('stopped');
          exit(0);
        });
        server.closeIdleConnections();
      };
      for (const signal of signals) process.on(signal, stop);
    },
  };
}
