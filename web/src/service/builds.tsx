import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import { plural, shortCommit } from '../format/names.ts';
import { Empty, Loaded, Skeleton } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import type { Tone } from '../rollout/words.ts';
import { elapsed } from '../time/format.ts';
import { Time } from '../time/time.tsx';

export const BUILD_TONES: Readonly<Record<string, Tone>> = {
  queued: 'none',
  waiting: 'none',
  running: 'move',
  succeeded: 'ok',
  cached: 'ok',
  failed: 'bad',
  'timed-out': 'bad',
  cancelled: 'none',
  skipped: 'none',
};

export function BuildList({ service }: { service: string }) {
  const builds = useQuery(queries.builds(service));
  return (
    <Loaded
      query={builds}
      skeleton={
        <div className="p-4">
          <Skeleton lines={6} />
        </div>
      }
    >
      {({ builds: all }) =>
        all.length === 0 ? (
          <Empty title="Nothing was built yet" command={`slipway release ${service} <commit>`} />
        ) : (
          <ol className="divide-y">
            {all.map((build) => (
              <li key={build.id}>
                <Link
                  to="/builds/$build"
                  params={{ build: build.id }}
                  className="grid grid-cols-[7rem_minmax(0,1fr)_auto_auto] items-center gap-x-3 px-4 py-2 hover:bg-raised focus-visible:-outline-offset-2"
                >
                  <span>
                    <Badge tone={BUILD_TONES[build.status] ?? 'none'}>{build.status}</Badge>
                  </span>
                  <span className="truncate">
                    <code className="font-mono text-xs">{shortCommit(build.commit)}</code>
                    {build.purpose === 'verify' && <span className="ml-2">built twice to compare</span>}
                    <span className="ml-2 text-xs text-muted">
                      {build.problem ?? `${plural(build.cacheHits, 'step')} from the cache`}
                    </span>
                  </span>
                  <span className="text-xs text-muted">
                    {build.durationMs === null ? '' : elapsed(build.durationMs)}
                  </span>
                  <Time at={build.createdAt} quiet className="w-20 text-right text-xs text-muted" />
                </Link>
              </li>
            ))}
          </ol>
        )
      }
    </Loaded>
  );
}
