import type { Evidence, MetricEvidence, Rollout } from '../api/types.ts';
import { count, latency, percent } from '../format/numbers.ts';
import { duration, elapsed } from '../time/format.ts';

/** ok: good news. bad: it turned back. wait: somebody or something must act. move: under way. none: nothing to say. */
export type Tone = 'ok' | 'bad' | 'wait' | 'move' | 'none';

export interface Headline {
  tone: Tone;
  title: string;
  detail: string;
}

export const PHASES: Readonly<Record<string, string>> = {
  preparing: 'starting',
  stepping: 'ramping',
  promoting: 'taking over',
  finishing: 'draining old',
  'rolling-back': 'rolling back',
  succeeded: 'succeeded',
  'rolled-back': 'rolled back',
  aborted: 'aborted',
  failed: 'failed',
  cancelled: 'cancelled',
  superseded: 'superseded',
};

export const VERDICTS: Readonly<Record<string, { word: string; tone: Tone }>> = {
  pass: { word: 'no worse', tone: 'ok' },
  fail: { word: 'worse', tone: 'bad' },
  inconclusive: { word: 'undecided', tone: 'wait' },
  'no-data': { word: 'no data', tone: 'none' },
};

export const METRICS: Readonly<Record<string, string>> = {
  errors: 'Errors',
  'latency-p50': 'Latency p50',
  'latency-p95': 'Latency p95',
  'latency-p99': 'Latency p99',
};

export function phaseTone(phase: string): Tone {
  if (phase === 'succeeded') return 'ok';
  if (['rolled-back', 'aborted', 'failed', 'rolling-back'].includes(phase)) return 'bad';
  if (phase === 'cancelled' || phase === 'superseded') return 'none';
  return 'move';
}

export function versionName(number: number | null, digest: string | null): string {
  if (number !== null) return `release ${number}`;
  return digest === null ? 'nothing' : digest.slice(digest.indexOf(':') + 1, digest.indexOf(':') + 9);
}

/** What a rollout is doing, in one sentence, and why in another. Pure. */
export function headline(rollout: Rollout, evidence: Evidence | null, nowMs: number): Headline {
  return rollout.endedAt === null ? underWay(rollout, evidence, nowMs) : ended(rollout);
}

function ended(rollout: Rollout): Headline {
  const name = versionName(rollout.releaseNumber, rollout.digest);
  const Name = capital(name);
  const before = versionName(rollout.previousReleaseNumber, rollout.previousDigest);
  const { turnedBack, environment, outcome } = rollout;
  const why = turnedBack?.reason ?? rollout.reasons[0] ?? '';
  switch (outcome) {
    case 'succeeded':
      return {
        tone: 'ok',
        title: `${Name} took over in ${environment}`,
        detail: `It carries all traffic, ${elapsed(between(rollout.createdAt, rollout.endedAt))} after the start.`,
      };
    case 'rolled-back':
      return {
        tone: 'bad',
        title: `Rolled back: ${name} did not hold in ${environment}`,
        detail: `${sentence(why)}${wayBack(rollout, before)}`,
      };
    case 'aborted':
      return {
        tone: 'bad',
        title: `Aborted by ${turnedBack?.by ?? 'a person'}`,
        detail: `${sentence(why)}${wayBack(rollout, before)}`,
      };
    case 'failed':
      return { tone: 'bad', title: `${Name} failed before it had any traffic`, detail: sentence(why) };
    default:
      return {
        tone: 'none',
        title: `The rollout of ${name} was ${outcome ?? 'ended'}`,
        detail: sentence(why),
      };
  }
}

function wayBack(rollout: Rollout, before: string): string {
  if (rollout.exposedAt === null) return ' No request ever reached it.';
  if (rollout.zeroTrafficAt === null || rollout.turnedBack === null) return '';
  const took = elapsed(between(rollout.turnedBack.at, rollout.zeroTrafficAt));
  return ` All traffic was back on ${before} ${took} after the decision.`;
}

function underWay(rollout: Rollout, evidence: Evidence | null, nowMs: number): Headline {
  const name = versionName(rollout.releaseNumber, rollout.digest);
  const before = versionName(rollout.previousReleaseNumber, rollout.previousDigest);
  const why = rollout.reasons[0] ?? '';
  if (rollout.phase === 'rolling-back')
    return {
      tone: 'bad',
      title: `Turning back to ${before}: ${rollout.weights.canary} % of traffic left to return`,
      detail: sentence(rollout.turnedBack?.reason ?? why),
    };
  if (rollout.paused)
    return {
      tone: 'wait',
      title: `Paused at ${rollout.weights.canary} % by ${rollout.paused.by}`,
      detail: `${sentence(rollout.paused.reason)} Nothing moves until a person resumes it; evidence against it still turns it back.`,
    };
  if (rollout.phase === 'preparing')
    return {
      tone: 'move',
      title: `Starting instances of ${name}; no traffic has moved`,
      detail: sentence(why),
    };
  if (rollout.phase === 'promoting')
    return { tone: 'move', title: `${capital(name)} is taking all traffic`, detail: sentence(why) };
  if (rollout.phase === 'finishing')
    return {
      tone: 'ok',
      title: `${capital(name)} has all traffic; the old instances drain`,
      detail: sentence(why),
    };
  return atStep(rollout, evidence, nowMs);
}

function atStep(rollout: Rollout, evidence: Evidence | null, nowMs: number): Headline {
  const name = versionName(rollout.releaseNumber, rollout.digest);
  const weight = `${rollout.weights.canary} %`;
  const why = sentence(rollout.reasons[0] ?? '');
  const verdict = evidence?.spec ? evidence.verdict : rollout.verdict;
  if (verdict === 'fail')
    return {
      tone: 'bad',
      title: `${capital(name)} is worse: turning back`,
      detail: sentence(evidence?.reason ?? why),
    };
  if (verdict === 'pass')
    return { tone: 'ok', title: `No worse than the old version at ${weight}`, detail: why };
  if (verdict === 'inconclusive')
    return {
      tone: 'move',
      title: `Undecided at ${weight}: ${neededWords(needed(evidence))}`,
      detail: openWords(evidence) ?? why,
    };
  if (verdict === 'no-data')
    return {
      tone: 'wait',
      title: `No data yet at ${weight}; without data nothing passes`,
      detail: why || sentence(evidence?.reason ?? ''),
    };
  const held = duration((nowMs - Date.parse(rollout.updatedAt)) / 1_000);
  return { tone: 'move', title: `At ${weight}, for ${held}`, detail: why };
}

/** Canary and baseline of the undecided metric that needs most, from the newest look. */
function openWords(evidence: Evidence | null): string | null {
  const metrics = evidence?.points.at(-1)?.point.metrics ?? [];
  const [worst] = metrics
    .filter((metric) => metric.verdict === 'inconclusive')
    .sort((a, b) => (b.remaining?.requests ?? Infinity) - (a.remaining?.requests ?? Infinity));
  return worst === undefined ? null : `${comparison(worst)}.`;
}

/** `Latency p99: canary 1.1 % of 8,338 slower than 112 ms, baseline 1.0 % of 8,402`. */
export function comparison({ metric, canary, baseline, edgeS }: MetricEvidence): string {
  const slower = edgeS === null ? '' : ` slower than ${latency(edgeS)}`;
  return `${METRICS[metric] ?? metric}: canary ${percent(canary.rate)} of ${count(canary.requests)}${slower}, baseline ${percent(baseline.rate)} of ${count(baseline.requests)}`;
}

/** `it has cost 0.2 % of the error budget, of 1 % it may`; null without a budget. */
export function budgetWords(evidence: Evidence): string | null {
  const budget = evidence.points.at(-1)?.point.budget;
  if (budget === undefined) return null;
  return `error budget: ${percent(budget.spent)} spent of the ${percent(budget.allowed)} this rollout may cost`;
}

export interface Needed {
  requests: number;
  seconds: number | null;
}

/** What the metric that needs most still needs; null when it cannot be said. */
export function needed(evidence: Evidence | null): Needed | null {
  const metrics = evidence?.points.at(-1)?.point.metrics ?? [];
  const open = metrics.filter((metric) => metric.verdict === 'inconclusive');
  if (open.length === 0 || open.some((metric) => metric.remaining === null)) return null;
  const worst = open.reduce<MetricEvidence['remaining']>(
    (most, { remaining }) =>
      most === null || (remaining !== null && remaining.requests > most.requests) ? remaining : most,
    null,
  );
  return worst === null ? null : { requests: worst.requests, seconds: worst.seconds };
}

export function neededWords(need: Needed | null): string {
  if (need === null) return 'at these rates there is no telling when';
  const time = need.seconds === null ? '' : `, about ${duration(need.seconds)}`;
  return `${count(need.requests)} more canary requests decide${time}`;
}

function between(from: string, to: string | null): number {
  return to === null ? 0 : Math.max(0, Date.parse(to) - Date.parse(from));
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A reason as a sentence, whether it came as one or not. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  return `${capital(trimmed)}${/[.!?]$/.test(trimmed) ? '' : '.'}`;
}
