import type { EnvironmentConfig } from '../../kernel/config.ts';
import type { Build, Release, Rollout } from '../api/types.ts';
import { EXIT } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import { duration } from '../output/time.ts';
import type { End, Look } from './follow.ts';
import { exitOfPromotion, promotionWords } from './promotion.ts';
import { changes, standing } from './rollout.ts';

/** A release and all that moves because of it. */
export interface ReleaseSight {
  release: Release;
  build: Build | null;
  /** Of its promotions that run or ended, by id. */
  rollouts: readonly Rollout[];
  environments: readonly Pick<EnvironmentConfig, 'name' | 'after' | 'promotion'>[];
}

/** One look at a release on its way, against the look before. Pure. */
export function lookAtRelease(before: ReleaseSight | null, now: ReleaseSight, failFast: boolean): Look {
  const { release } = now;
  const lines = [...releaseLines(before, now), ...stepLines(before?.build ?? null, now.build)];
  for (const promotion of release.promotions) {
    const earlier = before?.release.promotions.find(({ id }) => id === promotion.id);
    if (!earlier || promotionWords(earlier) !== promotionWords(promotion))
      lines.push(`${promotion.environment}: ${promotionWords(promotion)}`);
  }
  for (const rollout of now.rollouts)
    lines.push(...changes(before?.rollouts.find(({ id }) => id === rollout.id) ?? null, rollout));
  const open = release.promotions.filter(({ endedAt }) => endedAt === null);
  return {
    lines,
    events: before === null || lines.length > 0 ? [{ event: 'change', exit: null, ...release }] : [],
    now: nowWords(now),
    pending:
      open.length > 0 &&
      open.every(({ status, rolloutId }) => status === 'awaiting-approval' || isPaused(now, rolloutId)),
    end: endOf(now, failFast),
  };
}

function isPaused({ rollouts }: ReleaseSight, id: string | null): boolean {
  return rollouts.some((rollout) => rollout.id === id && rollout.paused !== null);
}

function releaseLines(before: ReleaseSight | null, { release }: ReleaseSight): string[] {
  const name = `release ${release.number} of ${release.service}`;
  const commit = `${release.commit.sha.slice(0, 12)} ${oneLine(release.commit.message.split('\n')[0] ?? '')}`;
  const first = before === null ? [`${name}: ${commit}`] : [];
  return before?.release.status === release.status ? first : [...first, `${name} is ${release.status}`];
}

function stepLines(before: Build | null, now: Build | null): string[] {
  return (now?.steps ?? [])
    .filter(
      ({ name, status }) =>
        status !== 'waiting' && before?.steps.find((step) => step.name === name)?.status !== status,
    )
    .map(({ name, status, durationMs, problem }) => {
      const took = durationMs === null || status === 'running' ? '' : ` in ${duration(durationMs)}`;
      return `step ${name}: ${status}${took}${problem ? `: ${oneLine(problem)}` : ''}`;
    });
}

function nowWords({ release, build, rollouts }: ReleaseSight): string {
  const open = release.promotions.find(({ endedAt }) => endedAt === null);
  if (open) {
    const rollout = rollouts.find(({ id }) => id === open.rolloutId);
    return `${open.environment}: ${rollout ? standing(rollout) : promotionWords(open)}`;
  }
  const running = build?.steps.filter(({ status }) => status === 'running').map(({ name }) => name) ?? [];
  return `release ${release.number} is ${release.status}${running.length > 0 ? `, step ${running.join(', ')}` : ''}`;
}

/** Ended everywhere it goes by itself: nothing is open, and no environment is about to take it. */
function endOf({ release, environments }: ReleaseSight, failFast: boolean): End | null {
  if (release.status === 'failed' || release.status === 'cancelled')
    return end(release, release.status === 'failed' ? EXIT.internal : EXIT.cancelled, release.problem ?? '');
  if (release.status !== 'built') return null;
  // Newest first: what became of it at each place is what the latest promotion says.
  const latest = new Map(
    [...release.promotions].reverse().map((promotion) => [promotion.environment, promotion]),
  );
  const bad = [...latest.values()].find(
    ({ endedAt, status }) => endedAt !== null && exitOfPromotion(status) !== EXIT.ok,
  );
  const moving = [...latest.values()].some(({ endedAt }) => endedAt === null);
  const coming = environments.some(
    ({ name, after, promotion }) =>
      promotion.automatic &&
      !latest.has(name) &&
      (after === null || latest.get(after)?.status === 'succeeded'),
  );
  if (bad && (failFast || (!moving && !coming)))
    return end(
      release,
      exitOfPromotion(bad.status),
      `${bad.environment}: ${bad.status}${bad.reason ? `, ${bad.reason}` : ''}`,
    );
  if (moving || coming) return null;
  const reached = environments
    .filter(({ name }) => latest.get(name)?.status === 'succeeded')
    .map(({ name }) => name);
  return end(
    release,
    EXIT.ok,
    reached.length > 0 ? `runs in ${reached.join(', ')}` : 'goes nowhere by itself',
  );
}

function end(release: Release, code: number, why: string): End {
  const verb = code === EXIT.ok ? 'done' : release.status === 'built' ? 'stopped' : release.status;
  return {
    code,
    text: `release ${release.number} of ${release.service} ${verb}: ${oneLine(why)} (${release.id})`,
    event: { event: 'end', exit: code, ...release },
  };
}
