import { phiWindow, sigma2Pod } from './dispersion.ts';
import type { Dispersion, InstanceSeries, WindowSeries } from './state.ts';

/** Windows of the control's instances, from which the dispersion is learned. */

export const MINUTE_MS = 60_000;
export const TEN_SECONDS_MS = 10_000;
/** Half an hour of history and half an hour live. */
const MAX_MINUTES = 60;
/** Ten-second windows stand in until this many minutes are complete. */
const ENOUGH_MINUTES = 3;
const ENOUGH_TENS = 3;
/** Instances with a series of their own; the rest share one. */
const MAX_SERIES = 32;
const OTHERS = '(others)';
/**
 * An instance is part of a window when it had traffic in so much of it as the one that had most: when one leaves as another
 * comes, their halves of the window tell of two times, not of two instances.
 */
const WHOLE_SHARE = 2 / 3;

/**
 * Belief before data: without any history errors may come in clumps of 3 (phi = 5); every two minutes watched halve what
 * it exceeds 1 by. Starting at clumps of 2 gives 7 % false alarms under heavy clumping (sim/analysis measures it).
 */
const PHI_UNKNOWN = 5;
const PHI_HALVES_MINUTES = 2;
/** One control instance shows no spread between instances: these are safe for what was seen in production. */
const PHI_SINGLE = 3;

export function emptyWindows(startedAtMs: number): WindowSeries {
  return { instances: {}, current: {}, startedAtMs, length: 0 };
}

export function addToWindow(series: WindowSeries, id: string, n: number, e: number): void {
  const known = Object.hasOwn(series.current, id) || Object.hasOwn(series.instances, id);
  const key = known || Object.keys(series.current).length < MAX_SERIES ? id : OTHERS;
  const now = Object.hasOwn(series.current, key) ? series.current[key] : undefined;
  const looks = n > 0 ? 1 : 0;
  if (now === undefined) series.current[key] = [n, e, looks];
  else series.current[key] = [now[0] + n, now[1] + e, (now[2] ?? 0) + looks];
}

/** Of looks with traffic in a window: whether an instance with `looks` served through it, where the busiest had `most`. */
export function isWhole(looks: number, most: number): boolean {
  return looks >= WHOLE_SHARE * most;
}

/** Closes the window under way when its time is over; says whether it did. A gap makes one long window. */
export function rollWindow(series: WindowSeries, atMs: number, widthMs: number): boolean {
  const passed = Math.floor((atMs - series.startedAtMs) / widthMs);
  if (passed < 1) return false;
  for (const id of Object.keys(series.current)) {
    if (Object.hasOwn(series.instances, id) || Object.keys(series.instances).length >= MAX_SERIES + 1)
      continue;
    const zeros = () => new Array<number>(series.length).fill(0);
    series.instances[id] = { n: zeros(), e: zeros() };
  }
  const most = Math.max(0, ...Object.values(series.current).map(([, , looks]) => looks ?? 0));
  for (const [id, { n, e }] of Object.entries(series.instances)) {
    const [requests, bad, looks] = (Object.hasOwn(series.current, id) ? series.current[id] : undefined) ?? [
      0, 0,
    ];
    const whole = isWhole(looks ?? most, most);
    n.push(whole ? requests : 0);
    e.push(whole ? bad : 0);
  }
  series.length += 1;
  if (series.length > MAX_MINUTES) dropOldest(series);
  series.current = {};
  series.startedAtMs += passed * widthMs;
  return true;
}

function dropOldest(series: WindowSeries): void {
  series.length -= 1;
  for (const [id, { n, e }] of Object.entries(series.instances)) {
    n.shift();
    e.shift();
    if (n.every((requests) => requests === 0)) delete series.instances[id];
  }
}

/** Ten-second windows are of no more use. */
export function enoughMinutes(minutes: WindowSeries): boolean {
  return minutes.length >= ENOUGH_MINUTES;
}

/** Section D of the algorithm over what was watched, with the stated fallbacks. `sigma0`: 0.1 for errors, 0.03 for latency. */
export function learnDispersion(
  minutes: WindowSeries,
  tens: WindowSeries | null,
  sigma0: number,
): Dispersion {
  const series = enoughMinutes(minutes) || tens === null ? minutes : tens;
  const used = Object.values(series.instances).filter(({ n }) => n.some((requests) => requests > 0));
  const same = used.filter(({ other }) => !other);
  const watchedMinutes = Math.max(shared(minutes), tens === null ? 0 : shared(tens) / 6);
  const phi0 = 1 + (PHI_UNKNOWN - 1) * 2 ** (-watchedMinutes / PHI_HALVES_MINUTES);
  if (used.length > 0 && shared(series) === 0) return dispersion(PHI_SINGLE, sigma0 * sigma0, same.length);
  if (used.length === 0 || series.length < ENOUGH_TENS) return dispersion(phi0, sigma0 * sigma0, same.length);
  const phi = phiWindow(used, phi0);
  const { n, e } = standardised(same);
  const sigma2 = sigma2Pod(n, e, phi, sigma0);
  return dispersion(phi, sigma2, same.length);
}

/**
 * Requests and bad ones of each instance over the windows it shared with others, the requests weighted by how bad their
 * window was for all: of two instances that served at different times, the one with the worse time is not the worse one.
 */
function standardised(instances: readonly InstanceSeries[]): { n: number[]; e: number[] } {
  const n = instances.map(() => 0);
  const e = instances.map(() => 0);
  let allRequests = 0;
  let allBad = 0;
  for (let k = 0; k < (instances[0]?.n.length ?? 0); k++) {
    const requests = instances.map((one) => one.n[k] as number);
    if (requests.filter((count) => count > 0).length < 2) continue;
    const total = requests.reduce((all, count) => all + count, 0);
    const bad = instances.reduce((all, one) => all + (one.e[k] as number), 0);
    allRequests += total;
    allBad += bad;
    instances.forEach((one, i) => {
      n[i]! += ((requests[i] as number) / total) * bad;
      e[i]! += one.e[k] as number;
    });
  }
  if (allBad === 0) return { n: n.map(() => 0), e };
  const rate = allBad / allRequests;
  return { n: n.map((expected, i) => Math.max(expected / rate, e[i] as number)), e };
}

/** Windows in which several instances had traffic: one alone shows nothing of how requests clump. */
function shared({ instances, length }: WindowSeries): number {
  const series = Object.values(instances);
  let count = 0;
  for (let k = 0; k < length; k++) {
    if (series.filter(({ n }) => (n[k] ?? 0) > 0).length > 1) count += 1;
  }
  return count;
}

function dispersion(phi: number, sigma2: number, instances: number): Dispersion {
  return { phi, g: Math.min((phi + 1) / 2, 20), sigma2, instances };
}
