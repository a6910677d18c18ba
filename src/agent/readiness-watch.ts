import type { Clock } from '../platform/clock.ts';
import { listensAt, membersOf } from './processes.ts';
import { probe } from './readiness.ts';
import type { InstanceRecord } from './record.ts';

/** Looks at one instance's readiness; keeps what it takes to judge a row of looks. In memory: a new agent looks anew. */
export interface ReadinessWatch {
  /** When the next look is due. */
  dueAtMs(): number;
  /** A new run: the first look is due soon. */
  reset(): void;
  /** What the last look saw, to follow "it …". */
  lastSeen(): string;
  /** One look. null: nothing changes, or `signal` ended the look. */
  look(
    record: InstanceRecord,
    signal: AbortSignal,
  ): Promise<{ ready: true } | { ready: false; problem: string } | null>;
}

const FIRST_LOOK_MS = 50;
/** Until it is ready for the first time it is looked at more often than its period says. */
const STARTING_PERIOD_MS = 200;

export function watchReadiness(clock: Clock, bootId: string): ReadinessWatch {
  let dueAtMs = 0;
  let failures = 0;
  let lastSeen = 'was never looked at';
  return {
    dueAtMs: () => dueAtMs,
    lastSeen: () => lastSeen,
    reset() {
      dueAtMs = clock.nowMs() + FIRST_LOOK_MS;
      failures = 0;
      lastSeen = 'was never looked at';
    },
    async look(record, signal) {
      const { path, periodMs, timeoutMs, failureThreshold } = record.spec.readiness;
      const port = record.port!;
      let problem = await probe(port, path, timeoutMs, signal);
      if (signal.aborted) return null;
      // Somebody else's answer at this port is not readiness.
      const own =
        problem !== null ||
        record.state === 'ready' ||
        listensAt(membersOf(record.run!, bootId), port) !== false;
      if (!own) problem = `left port ${port} to another program`;
      failures = problem === null ? 0 : failures + 1;
      lastSeen = problem ?? 'was ready';
      dueAtMs =
        clock.nowMs() + (record.readyAtMs === null ? Math.min(periodMs, STARTING_PERIOD_MS) : periodMs);
      if (problem === null) return record.state === 'ready' ? null : { ready: true };
      return record.state === 'ready' && failures >= failureThreshold ? { ready: false, problem } : null;
    },
  };
}
