import { Link } from '@tanstack/react-router';
import type { Rollout } from '../api/types.ts';
import { Badge } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { PHASES, phaseTone, versionName } from './words.ts';

/** Rollouts as lines, each a link. */
export function RolloutList({ rollouts, lane }: { rollouts: readonly Rollout[]; lane?: boolean }) {
  return (
    <ol className="divide-y">
      {rollouts.map((rollout) => (
        <li key={rollout.id}>
          <Link
            to="/rollouts/$rollout"
            params={{ rollout: rollout.id }}
            className="grid grid-cols-[minmax(0,13rem)_9rem_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-2 hover:bg-raised focus-visible:-outline-offset-2 max-md:grid-cols-[1fr_auto]"
          >
            <span className="truncate font-medium">
              {lane ? `${rollout.service} → ${rollout.environment}` : rollout.environment}
              <span className="ml-2 font-normal text-muted">
                {versionName(rollout.releaseNumber, rollout.digest).replace('release ', '#')}
              </span>
            </span>
            <span>
              <Badge tone={rollout.paused ? 'wait' : phaseTone(rollout.phase)}>
                {rollout.paused ? 'paused' : (PHASES[rollout.phase] ?? rollout.phase)}
                {rollout.endedAt === null ? ` ${rollout.weights.canary} %` : ''}
              </Badge>
            </span>
            <span className="truncate text-xs text-muted max-md:hidden">
              {rollout.turnedBack?.reason ?? rollout.reasons[0] ?? ''}
            </span>
            <Time at={rollout.endedAt ?? rollout.createdAt} quiet className="text-xs text-muted" />
          </Link>
        </li>
      ))}
    </ol>
  );
}
