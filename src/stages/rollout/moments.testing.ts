import { isTerminal, type RolloutState } from '../../kernel/rollout.ts';
import { drive, look, pass, type Scene, scene, situationOf } from './lane.testing.ts';
import type { Plan, Situation } from './situation.ts';

/** For tests of the check: situations in which the planner acts, by what is about to happen. */

/** A plan about to be judged, and what it was made of. */
export interface Case {
  lane: Scene;
  before: RolloutState;
  situation: Situation;
  plan: Plan;
}

export function caseOf(lane: Scene): Case {
  return { lane, before: lane.state, situation: situationOf(lane), plan: look(lane) };
}

export const step = (weight: number, more = {}) => ({
  weight,
  minimumS: 5,
  requirePass: false,
  manual: false,
  deadlineS: 60,
  ...more,
});
export const ANALYSIS = { alpha: 0.05, errors: null, latency: [], warmupS: 0, staleS: 10 };

export const moments: Readonly<Record<string, () => Scene>> = {
  starting: () => scene({ instances: 4 }, 4),
  raising: () => drive(scene({ instances: 4 }, 4), ({ state }) => state.phase === 'stepping'),
  holding: () => drive(scene(), ({ state }) => state.stepSettledAtMs !== null),
  leavingStep() {
    const lane = drive(
      scene({ steps: [step(10, { requirePass: true }), step(50)], analysis: ANALYSIS }),
      (one) => one.state.stepSettledAtMs !== null,
    );
    lane.nowMs += 6_000;
    lane.more = { analysis: { verdict: 'pass', reason: 'x', atMs: lane.nowMs } };
    return lane;
  },
  takingOver: () => drive(scene(), ({ state }) => state.phase === 'promoting'),
  stopping() {
    const lane = drive(scene(), ({ state }) => state.phase === 'finishing');
    pass(lane);
    lane.nowMs += 200;
    return lane;
  },
  ending() {
    const lane = moments.stopping!();
    return drive(lane, (one) => isTerminal(look(one).next.phase));
  },
  turning() {
    const lane = drive(scene(), ({ state }) => state.stepIndex === 1 && state.stepSettledAtMs !== null);
    lane.more = { analysis: { verdict: 'fail', reason: 'errors', atMs: lane.nowMs } };
    return lane;
  },
  returning() {
    const lane = moments.turning!();
    pass(lane);
    return lane;
  },
  endingBack() {
    const lane = moments.returning!();
    return drive(lane, (one) => isTerminal(look(one).next.phase));
  },
  paused() {
    const lane = moments.holding!();
    lane.state = { ...lane.state, paused: { atMs: lane.nowMs, by: 'user:ann', reason: 'wait' } };
    return lane;
  },
};
