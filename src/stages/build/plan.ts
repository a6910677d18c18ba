import type { BuildStepConfig } from '../../kernel/config.ts';
import { type Diagnostic, SlipwayError } from '../../kernel/errors.ts';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import type { StepStatus } from '../../kernel/release.ts';

export const MAX_STEPS = 200;
export const MAX_RETRIES = 5;
export const MAX_TIMEOUT_S = 6 * 60 * 60;
/** Bytes of one step's command: the kernel takes no argument above 128 KiB. */
export const MAX_COMMAND_BYTES = 100_000;

/** What the scheduler knows of one step while a build runs. */
export interface StepState {
  status: StepStatus;
  attempts: number;
}

export type StepStates = Readonly<Record<string, StepState>>;

/** What to do next: steps to start now, steps that can never run and why, and whether nothing is left. */
export interface Schedule {
  start: readonly string[];
  skip: readonly { name: string; because: string }[];
  done: boolean;
}

const ENDED_WELL: readonly StepStatus[] = ['succeeded', 'cached'];
const OPEN: readonly StepStatus[] = ['waiting', 'running'];

/** Everything wrong with a list of steps: names, unknown needs, cycles, bounds. Empty: it can be scheduled. */
export function checkSteps(steps: readonly BuildStepConfig[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (steps.length > MAX_STEPS)
    found.push({ path: 'build.steps', message: `${steps.length} steps; at most ${MAX_STEPS}` });
  const names = new Set<string>();
  steps.forEach((step, index) => {
    const path = `build.steps[${index}]`;
    if (!NAME_PATTERN.test(step.name)) {
      found.push({
        path,
        message: `the step name ${JSON.stringify(step.name)} is not a name`,
        hint: 'use a-z, 0-9 and -',
      });
    }
    if (names.has(step.name)) found.push({ path, message: `two steps are called ${step.name}` });
    names.add(step.name);
    found.push(...checkBounds(step, path));
  });
  steps.forEach((step, index) => {
    for (const need of step.needs) {
      if (names.has(need)) continue;
      const hint =
        names.size > 0 ? `the steps are ${[...names].slice(0, 20).join(', ')}` : 'there are no steps';
      found.push({
        path: `build.steps[${index}].needs`,
        message: `${step.name} needs ${need}, which is no step`,
        hint,
      });
    }
  });
  const cycle = findCycle(steps);
  if (cycle) {
    const message = `the steps need each other in a circle: ${cycle.join(' -> ')}`;
    found.push({ path: 'build.steps', message, hint: `remove one of these needs` });
  }
  return found;
}

export function assertSteps(steps: readonly BuildStepConfig[]): void {
  const diagnostics = checkSteps(steps);
  const [first] = diagnostics;
  if (first)
    throw new SlipwayError('invalid_config', first.message, {
      diagnostics,
      ...(first.hint ? { hint: first.hint } : {}),
    });
}

function checkBounds(step: BuildStepConfig, path: string): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (!Number.isInteger(step.retries) || step.retries < 0 || step.retries > MAX_RETRIES) {
    found.push({
      path: `${path}.retries`,
      message: `${step.retries} retries; 0 to ${MAX_RETRIES} are possible`,
    });
  }
  if (!(step.timeoutS > 0 && step.timeoutS <= MAX_TIMEOUT_S)) {
    found.push({
      path: `${path}.timeoutS`,
      message: `a timeout of ${step.timeoutS} s; up to ${MAX_TIMEOUT_S} s are possible`,
    });
  }
  if (Buffer.byteLength(step.run) > MAX_COMMAND_BYTES || step.run.includes('\0')) {
    const message = `the command is longer than ${MAX_COMMAND_BYTES} bytes or holds a zero byte`;
    found.push({ path: `${path}.run`, message, hint: 'put it into a script in the repository' });
  }
  for (const [name, value] of Object.entries(step.env)) {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !value.includes('\0')) continue;
    found.push({
      path: `${path}.env`,
      message: `${JSON.stringify(name)} is no variable, or its value holds a zero byte`,
    });
  }
  return found;
}

/** One cycle, its first step repeated at the end; null when there is none. Unknown needs are passed over. */
export function findCycle(steps: readonly Pick<BuildStepConfig, 'name' | 'needs'>[]): string[] | null {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const left = new Set<string>();
  for (const { name: root } of steps) {
    // Depth first with an explicit stack: the depth is the author's choice.
    const path: { name: string; next: number }[] = [{ name: root, next: 0 }];
    const onPath = new Set([root]);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const need = left.has(top.name) ? undefined : byName.get(top.name)?.needs[top.next++];
      if (need === undefined) {
        left.add(top.name);
        onPath.delete(top.name);
        path.pop();
      } else if (onPath.has(need)) {
        const names = path.map(({ name }) => name);
        return [...names.slice(names.indexOf(need)), need];
      } else if (byName.has(need) && !left.has(need)) {
        path.push({ name: need, next: 0 });
        onPath.add(need);
      }
    }
  }
  return null;
}

/** Steps in an order where needs come first; equal rank keeps the order of the file. The steps must have no cycle. */
export function inOrder(steps: readonly BuildStepConfig[]): BuildStepConfig[] {
  const placed = new Set<string>();
  const order: BuildStepConfig[] = [];
  while (order.length < steps.length) {
    const ready = steps.filter(
      ({ name, needs }) => !placed.has(name) && needs.every((need) => placed.has(need)),
    );
    if (ready.length === 0) throw new SlipwayError('invalid_config', 'the steps need each other in a circle');
    for (const step of ready) {
      placed.add(step.name);
      order.push(step);
    }
  }
  return order;
}

/** All steps that `name` needs, directly or not, in an order where needs come first; `name` itself is not among them. */
export function ancestorsOf(steps: readonly BuildStepConfig[], name: string): BuildStepConfig[] {
  const wanted = new Set<string>();
  const byName = new Map(steps.map((step) => [step.name, step]));
  const queue = [...(byName.get(name)?.needs ?? [])];
  for (let need = queue.pop(); need !== undefined; need = queue.pop()) {
    if (wanted.has(need)) continue;
    wanted.add(need);
    queue.push(...(byName.get(need)?.needs ?? []));
  }
  return inOrder(steps).filter((step) => wanted.has(step.name));
}

/**
 * The next moves. A step is ready when all it needs ended well; at most `parallel` run at once. When a step failed nothing
 * new starts that depends on it, and nothing at all after `stopping`.
 */
export function schedule(
  steps: readonly BuildStepConfig[],
  states: StepStates,
  options: { parallel: number; stopping: boolean },
): Schedule {
  const status = (name: string): StepStatus => states[name]?.status ?? 'waiting';
  const skip: { name: string; because: string }[] = [];
  const lost = new Map<string, string>();
  const start: string[] = [];
  let running = steps.filter(({ name }) => status(name) === 'running').length;
  for (const { name, needs } of inOrder(steps)) {
    const now = status(name);
    if (!OPEN.includes(now) && !ENDED_WELL.includes(now)) lost.set(name, name);
    if (now !== 'waiting') continue;
    const broken = needs.find((need) => lost.has(need));
    if (broken !== undefined) {
      const because = lost.get(broken) ?? broken;
      lost.set(name, because);
      skip.push({ name, because });
    } else if (
      !options.stopping &&
      running < options.parallel &&
      needs.every((need) => ENDED_WELL.includes(status(need)))
    ) {
      start.push(name);
      running++;
    }
  }
  const open = steps.filter(({ name }) => OPEN.includes(status(name))).length - skip.length;
  return { start, skip, done: options.stopping ? running === 0 : open === 0 };
}

export type AttemptOutcome = 'succeeded' | 'failed' | 'timed-out' | 'cancelled';

/** After attempt number `attempts` (from 1): run again, or the status it ends with. Cancelled steps never run again. */
export function afterAttempt(
  step: Pick<BuildStepConfig, 'retries'>,
  attempts: number,
  outcome: AttemptOutcome,
): 'retry' | StepStatus {
  if (outcome === 'succeeded' || outcome === 'cancelled') return outcome;
  return attempts <= Math.min(step.retries, MAX_RETRIES) ? 'retry' : outcome;
}

/** The chain of steps that decided how long the build took, first to last. Durations in milliseconds; absent: 0. */
export function criticalPath(
  steps: readonly Pick<BuildStepConfig, 'name' | 'needs'>[],
  durationsMs: Readonly<Record<string, number>>,
): { steps: string[]; durationMs: number } {
  const best = new Map<string, { steps: string[]; durationMs: number }>();
  const known = new Set(steps.map(({ name }) => name));
  let rest = [...steps];
  let longest = { steps: [] as string[], durationMs: 0 };
  while (rest.length > 0) {
    const ready = rest.filter(({ needs }) => needs.every((need) => best.has(need) || !known.has(need)));
    if (ready.length === 0) break;
    for (const { name, needs } of ready) {
      const before = needs
        .map((need) => best.get(need))
        .reduce((a, b) => ((b?.durationMs ?? -1) > (a?.durationMs ?? -1) ? b : a), undefined);
      const durationMs = (before?.durationMs ?? 0) + (durationsMs[name] ?? 0);
      const path = { steps: [...(before?.steps ?? []), name], durationMs };
      best.set(name, path);
      if (durationMs >= longest.durationMs) longest = path;
    }
    rest = rest.filter(({ name }) => !best.has(name));
  }
  return longest;
}
