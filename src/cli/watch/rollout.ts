import type { Rollout } from '../api/types.ts';
import { EXIT } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import { duration } from '../output/time.ts';
import type { End, Look } from './follow.ts';

/** Exit code of each way a rollout can end. */
const OUTCOMES: Readonly<Record<string, number>> = {
  succeeded: EXIT.ok,
  'rolled-back': EXIT.refused,
  aborted: EXIT.cancelled,
  cancelled: EXIT.cancelled,
  superseded: EXIT.cancelled,
  failed: EXIT.internal,
};

export function exitOfOutcome(outcome: string): number {
  return OUTCOMES[outcome] ?? EXIT.internal;
}

/** What a look at a rollout says, against the look before. Pure. */
export function lookAtRollout(before: Rollout | null, now: Rollout, failFast: boolean): Look {
  return {
    lines: changes(before, now),
    events: before !== null && sameState(before, now) ? [] : [{ event: 'change', exit: null, ...now }],
    now: standing(now),
    end: endOf(now, failFast),
    pending: now.paused !== null || (now.steps[now.stepIndex]?.manual === true && now.phase === 'stepping'),
  };
}

function sameState(a: Rollout, b: Rollout): boolean {
  const { updatedAt: _, ...left } = a;
  const { updatedAt: __, ...right } = b;
  return JSON.stringify(left) === JSON.stringify(right);
}

export function changes(before: Rollout | null, now: Rollout): string[] {
  const lines: string[] = [];
  if (before === null) lines.push(opening(now));
  if (now.turnedBack !== null && before?.turnedBack === null)
    lines.push(`turning back: ${oneLine(now.turnedBack.reason)}`);
  else if (before !== null && before.phase !== now.phase && now.outcome === null) lines.push(now.phase);
  if (before !== null && before.weights.canary !== now.weights.canary)
    lines.push(`${now.weights.canary} % of traffic${stepWords(now)}`);
  if (now.paused !== null && before?.paused?.at !== now.paused.at)
    lines.push(`paused by ${oneLine(now.paused.by)}: ${oneLine(now.paused.reason)}`);
  if (now.paused === null && before?.paused) lines.push('resumed');
  if (now.verdict !== null && before?.verdict !== now.verdict)
    lines.push(`evidence: ${now.verdict}${now.verdictReason ? `. ${oneLine(now.verdictReason)}` : ''}`);
  return lines;
}

function opening(rollout: Rollout): string {
  const { service, environment, kind, strategy, steps, instances } = rollout;
  const from =
    rollout.previousDigest === null
      ? 'the first version here'
      : `in place of ${releaseName(rollout.previousReleaseNumber)}`;
  const verb = kind === 'rollback' ? 'return to ' : kind === 'hotfix' ? 'hotfix ' : '';
  const ramp = steps.length > 1 ? `${strategy} in ${steps.length} steps` : strategy;
  return `${service}/${environment}: ${verb}${releaseName(rollout.releaseNumber)}, ${from}; ${ramp}, ${instances} instance${instances === 1 ? '' : 's'}; ${rollout.phase}`;
}

export function releaseName(number: number | null): string {
  return number === null ? 'a version without a release' : `release ${number}`;
}

function stepWords({ phase, stepIndex, steps }: Rollout): string {
  return phase === 'stepping' && steps.length > 1 ? ` (step ${stepIndex + 1} of ${steps.length})` : '';
}

/** `stepping, 25 % of traffic (step 2 of 4), paused; inconclusive: needs …`. */
export function standing(rollout: Rollout): string {
  const parts: string[] = [rollout.phase, `${rollout.weights.canary} % of traffic${stepWords(rollout)}`];
  if (rollout.paused !== null) parts.push(`paused (${oneLine(rollout.paused.reason)})`);
  const why = rollout.turnedBack?.reason ?? rollout.verdictReason ?? rollout.reasons[0];
  return `${parts.join(', ')}${why && !repeatsPause(rollout, why) ? `; ${oneLine(why)}` : ''}`;
}

/** A reason that only says again why it is paused. */
export function repeatsPause({ paused }: Rollout, reason: string): boolean {
  return paused !== null && reason.includes(paused.reason);
}

function endOf(rollout: Rollout, failFast: boolean): End | null {
  const { outcome, turnedBack } = rollout;
  const turning = outcome === null && failFast && turnedBack !== null;
  if (outcome === null && !turning) return null;
  const code = exitOfOutcome(outcome ?? turnedBack?.terminal ?? 'failed');
  return { code, text: outcomeText(rollout), event: { event: 'end', exit: code, ...rollout } };
}

export function outcomeText(rollout: Rollout): string {
  const { service, environment, outcome, turnedBack, reasons, createdAt, endedAt } = rollout;
  const name = `${service}/${environment}: ${releaseName(rollout.releaseNumber)}`;
  if (outcome === null) return `${name} is turning back: ${oneLine(turnedBack?.reason ?? '')}`;
  const took = endedAt === null ? '' : ` after ${duration(Date.parse(endedAt) - Date.parse(createdAt))}`;
  const why = turnedBack?.reason ?? reasons[0];
  return `${name} ${outcome}${took}${outcome === 'succeeded' || !why ? '' : `: ${oneLine(why)}`}`;
}
