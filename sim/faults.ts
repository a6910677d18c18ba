import type { Draw } from './draw.ts';

/** How the world of one seed misbehaves, until it calms down. Many are 0, so that each kind is also met alone. */
export interface Faults {
  /** A call to router or agent never arrives; arrives, but its answer is lost; arrives long after the caller gave up. */
  lost: number;
  answerLost: number;
  late: number;
  /** A commit fails; is kept, but the worker is told that it failed. */
  commitFails: number;
  commitAnswerLost: number;
  /** At each step of a worker: it dies, or stands still for seconds and then goes on as if nothing had happened. */
  crash: number;
  stall: number;
  /** Mean times between such events; null: never. */
  routerRestartMs: number | null;
  routerWipeMs: number | null;
  agentRestartMs: number | null;
  agentWipeMs: number | null;
  instanceCrashMs: number | null;
  instanceFlapMs: number | null;
  /** A start of a sound version fails this often. */
  startFails: number;
  /** A call takes this long at most. */
  slowMs: number;
}

export function drawFaults(draw: Draw): Faults {
  const rate = (values: readonly number[]) => draw.pick(values);
  const mean = (ms: readonly number[]) => (draw.chance(0.6) ? null : draw.pick(ms));
  return {
    lost: rate([0, 0, 0.02, 0.1, 0.3]),
    answerLost: rate([0, 0, 0.02, 0.1, 0.3]),
    late: rate([0, 0, 0.02, 0.1, 0.25]),
    commitFails: rate([0, 0, 0.02, 0.1]),
    commitAnswerLost: rate([0, 0, 0.02, 0.1]),
    crash: rate([0, 0.002, 0.01, 0.03]),
    stall: rate([0, 0.005, 0.03]),
    routerRestartMs: mean([5_000, 20_000]),
    routerWipeMs: mean([10_000, 40_000]),
    agentRestartMs: mean([5_000, 20_000]),
    agentWipeMs: mean([20_000, 60_000]),
    instanceCrashMs: mean([5_000, 20_000, 60_000]),
    instanceFlapMs: mean([3_000, 15_000]),
    startFails: rate([0, 0, 0.1, 0.3]),
    slowMs: draw.pick([5, 50, 400]),
  };
}

export const NO_FAULTS: Faults = {
  lost: 0,
  answerLost: 0,
  late: 0,
  commitFails: 0,
  commitAnswerLost: 0,
  crash: 0,
  stall: 0,
  routerRestartMs: null,
  routerWipeMs: null,
  agentRestartMs: null,
  agentWipeMs: null,
  instanceCrashMs: null,
  instanceFlapMs: null,
  startFails: 0,
  slowMs: 20,
};
