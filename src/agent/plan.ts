import type { Ending, InstanceRecord } from './record.ts';

/** What the supervisor sees of an instance when it looks. */
export interface Seen {
  nowMs: number;
  /** A process of the recorded run lives: its leader, or anything left in its session. */
  alive: boolean;
  /** The leader itself lives. */
  leaderAlive: boolean;
  image: 'needed' | 'pulling' | 'ready';
  /** When the next look at readiness is due. */
  probeAtMs: number;
}

export type Action =
  | { do: 'forget' }
  | { do: 'signal'; signal: 'SIGTERM' | 'SIGKILL' }
  /** The run is over: account for it. */
  | { do: 'settle' }
  | { do: 'give-up' }
  | { do: 'pull' }
  | { do: 'start' }
  | { do: 'probe' }
  | { do: 'wait'; untilMs: number | null };

/** Times the plan depends on, so that tests can shrink them. */
export interface PlanTimes {
  backoffFirstMs: number;
  backoffLastMs: number;
  backoffResetMs: number;
  killAgainMs: number;
}

/** The next thing to do for an instance. Pure: the same record and sight give the same action, before and after a crash. */
export function plan(record: InstanceRecord, seen: Seen, times: PlanTimes): Action {
  if (record.ending !== null) return planEnding(record, record.ending, seen, times);
  if (record.state === 'failed') return { do: 'wait', untilMs: null };
  if (record.run !== null) {
    // Without its leader the run is over; what is left of its session is removed before the next start.
    if (!seen.leaderAlive) return seen.alive ? { do: 'signal', signal: 'SIGKILL' } : { do: 'settle' };
    return planRunning(record, record.run.startedAtMs, seen);
  }
  if (record.nextStartAtMs !== null && seen.nowMs < record.nextStartAtMs)
    return { do: 'wait', untilMs: record.nextStartAtMs };
  if (seen.image === 'pulling') return { do: 'wait', untilMs: null };
  return seen.image === 'ready' ? { do: 'start' } : { do: 'pull' };
}

function planRunning(record: InstanceRecord, startedAtMs: number, seen: Seen): Action {
  const deadline = record.readyAtMs === null ? startDeadline(record, startedAtMs) : null;
  if (deadline !== null && seen.nowMs >= deadline) return { do: 'give-up' };
  if (seen.nowMs >= seen.probeAtMs) return { do: 'probe' };
  return { do: 'wait', untilMs: deadline === null ? seen.probeAtMs : Math.min(deadline, seen.probeAtMs) };
}

function planEnding(record: InstanceRecord, ending: Ending, seen: Seen, times: PlanTimes): Action {
  if (record.run === null || !seen.alive) return ending.why === 'stop' ? { do: 'forget' } : { do: 'settle' };
  if (ending.termSentAtMs === null) return { do: 'signal', signal: 'SIGTERM' };
  const killAt =
    ending.killSentAtMs === null
      ? ending.termSentAtMs + record.spec.stopGraceMs
      : ending.killSentAtMs + times.killAgainMs;
  return seen.nowMs >= killAt ? { do: 'signal', signal: 'SIGKILL' } : { do: 'wait', untilMs: killAt };
}

function startDeadline(record: InstanceRecord, startedAtMs: number): number {
  // Never ready: all its tries share one timeout, so a crash loop fails as soon as a hang does.
  const from = record.everReady ? startedAtMs : (record.firstStartedAtMs ?? startedAtMs);
  return from + record.spec.startTimeoutMs;
}

/** `ending` wins over what was under way; a SIGTERM already sent keeps its time. */
export function beginEnding(
  record: InstanceRecord,
  why: Ending['why'],
  reason: string | null,
): InstanceRecord {
  const ending: Ending = {
    why,
    termSentAtMs: record.ending?.termSentAtMs ?? null,
    killSentAtMs: record.ending?.killSentAtMs ?? null,
  };
  const state = why === 'failed' ? 'failed' : why === 'recycle' ? 'unready' : 'stopping';
  return { ...record, ending, state, reason };
}

/** The record after its run ended; `how` says in words what happened to the process, `output` its last lines (or nothing). */
export function settle(
  record: InstanceRecord,
  how: string,
  output: string,
  nowMs: number,
  times: PlanTimes,
): InstanceRecord {
  // An order to stop may have come while the end was looked at: it stands.
  if (record.ending?.why === 'stop') return { ...record, run: null };
  const over: InstanceRecord = { ...record, run: null, ending: null, readyAtMs: null };
  if (record.ending?.why === 'failed') return { ...over, state: 'failed' };
  if (record.ending?.why === 'halt')
    return { ...over, state: 'exited', reason: 'stopped together with the host agent', nextStartAtMs: null };
  const steady = record.readyAtMs !== null && nowMs - record.readyAtMs >= times.backoffResetMs;
  const crashes = (steady ? 0 : record.crashes) + 1;
  const nextStartAtMs = nowMs + backoffMs(crashes, times);
  const deadline = record.everReady ? Number.POSITIVE_INFINITY : startDeadline(record, nowMs);
  if (nextStartAtMs >= deadline) {
    const starts = crashes === 1 ? 'its only start' : `${crashes} starts`;
    return {
      ...over,
      state: 'failed',
      crashes,
      reason: withOutput(`${how}; never ready in ${starts}`, output),
    };
  }
  const reason = withOutput(how, output);
  return { ...over, state: 'exited', reason, crashes, restarts: record.restarts + 1, nextStartAtMs };
}

/** 1 s, 2 s, 4 s … with the default times, never above the last. */
export function backoffMs(crashes: number, times: PlanTimes): number {
  return Math.min(times.backoffLastMs, times.backoffFirstMs * 2 ** Math.min(crashes - 1, 20));
}

/** A reason with the last lines of the log below it. */
export function withOutput(reason: string, output: string): string {
  return output === '' ? reason : `${reason}; last lines:\n${output}`;
}
