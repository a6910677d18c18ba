import type { Machine } from '../flow/machine.ts';
import { wakeEverything } from '../flow/reconcilers.ts';
import { work } from '../flow.ts';
import { sleep } from '../platform/clock.ts';
import { startQueue } from '../platform/queue/queue.ts';

/** Two builds and the short reconcilers beside them. */
const CONCURRENCY = 6;

export interface Worker {
  /** Rejects when a loop ends that must not: the process should end and be started again. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

export async function startWorker(machine: Machine): Promise<Worker> {
  const { database, log } = machine;
  const stopping = new AbortController();
  const { tasks, loops } = work(machine);
  await retry(() => wakeEverything(machine));
  // Before the queue: what rolls out goes on as soon as its rows can be read.
  const running = loops.map(async (loop) => {
    await loop.run(stopping.signal);
    if (!stopping.signal.aborted) throw new Error(`the ${loop.name} loop ended`);
  });
  const failed = Promise.all(running).then(() => new Promise<never>(() => {}));
  failed.catch((error) => log.fatal({ error }, 'the worker cannot go on'));
  const queue = await startQueue({ database, tasks, concurrency: CONCURRENCY, log });
  return {
    failed,
    async stop() {
      // The queue first: a decision on its way out waits for the sequencer to put its signature into the ledger.
      await queue.stop();
      stopping.abort();
      await Promise.allSettled(running);
    },
  };
}

async function retry(action: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (attempt === 20) throw error;
      await sleep(500);
    }
  }
}
