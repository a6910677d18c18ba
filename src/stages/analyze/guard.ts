import { betBernoulli, betClump } from './bets.ts';
import { EProcess, type Increment } from './eprocess.ts';
import type { ArmLook, GuardState, MetricConfig, MetricState } from './state.ts';

/**
 * The transient guard (analysis.md G): a FAIL must also hold after any 3 consecutive minutes are left out, so that a noisy
 * neighbour of two minutes does not roll a version back. A disaster needs no guard. It delays a FAIL by minutes, so it is
 * for ramps whose steps last minutes, where holding the weight meanwhile is safe.
 */

const LEFT_OUT_MINUTES = 3;
const STILL_NEEDED = Math.log(2);
/** A rate five times the baseline's and a hundredth more is acted on at once. */
const DISASTER = { rho: 5, delta: 0.01 } as const;
/** Older minutes are summed into one, which is never left out alone. */
const MAX_MINUTES = 240;

export function newGuard(config: MetricConfig): GuardState {
  return {
    minutes: [config.failProcess.psis.map(() => 0)],
    bypass: new EProcess(config.failProcess).toJSON(),
  };
}

/** Starts another minute. */
export function rollGuard(guard: GuardState): void {
  const last = guard.minutes[guard.minutes.length - 1] as number[];
  guard.minutes.push(last.map(() => 0));
  if (guard.minutes.length <= MAX_MINUTES) return;
  const [oldest, next] = [guard.minutes.shift() as number[], guard.minutes[0] as number[]];
  guard.minutes[0] = next.map((value, j) => value + (oldest[j] as number));
}

/** Takes the look for the bypass, and gives the bet wrapped so that its log factors are also added to the minute. */
export function addGuardLook(
  config: MetricConfig,
  state: MetricState,
  bet: Increment,
  canary: ArmLook,
  control: ArmLook,
): Increment {
  const guard = state.guard as GuardState;
  const { g, phi } = state.dispersion;
  const { nb, eb } = state.totals;
  const pb = nb > 0 ? eb / nb : (state.historyRate ?? 0);
  const bypass = new EProcess(config.failProcess, guard.bypass);
  bypass.look(canary.n, canary.e, control.n, control.e, (nc, ec, mb, fb, psi) =>
    config.quantile === null
      ? betClump(nc, ec, mb, fb, { ...DISASTER, g, psi })
      : betBernoulli(nc, ec, mb, fb, { ...DISASTER, pb, phi, psi }),
  );
  guard.bypass = bypass.toJSON();
  return addingTo(guard.minutes[guard.minutes.length - 1] as number[], bet);
}

/** The bet, whose log factors are also added to `sums`, one for each psi; it is asked for them in their order. */
export function addingTo(sums: number[], bet: Increment): Increment {
  let j = 0;
  return (nc, ec, nb, eb, psi) => {
    const factor = bet(nc, ec, nb, eb, psi);
    sums[j]! += factor;
    j = (j + 1) % sums.length;
    return factor;
  };
}

/** True when a crossing may be acted on. */
export function guardAllows(config: MetricConfig, guard: GuardState, threshold: number): boolean {
  if (new EProcess(config.failProcess, guard.bypass).logE() >= threshold) return true;
  const count = guard.minutes.length;
  return outlives(
    guard.minutes,
    Math.max(1, count - LEFT_OUT_MINUTES + 1),
    (first) => first + LEFT_OUT_MINUTES,
  );
}

/**
 * Whether the evidence still stands, weakly, whichever stretch is left out: those that begin at the first `starts` parts and end
 * before the part `endOf` names. `parts` holds log factors of each psi.
 */
export function outlives(
  parts: readonly (readonly number[])[],
  starts: number,
  endOf: (first: number) => number,
): boolean {
  const width = parts[0]?.length ?? 0;
  const sums = Array.from({ length: width }, (_, j) =>
    parts.reduce((total, part) => total + (part[j] as number), 0),
  );
  for (let first = 0; first < starts; first++) {
    const out = parts.slice(first, endOf(first));
    const rest = sums.map((total, j) => total - out.reduce((left, part) => left + (part[j] as number), 0));
    const max = Math.max(...rest);
    const logMean = max + Math.log(rest.reduce((total, value) => total + Math.exp(value - max), 0) / width);
    if (logMean < STILL_NEEDED) return false;
  }
  return true;
}
