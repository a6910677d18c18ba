import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { MatrixService, Release } from '../api/types.ts';
import { firstLine, shortCommit } from '../format/names.ts';
import { Empty, Loaded, Skeleton } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import type { Tone } from '../rollout/words.ts';
import { Time } from '../time/time.tsx';

export const RELEASE_TONES: Readonly<Record<string, Tone>> = {
  queued: 'none',
  building: 'move',
  built: 'ok',
  failed: 'bad',
  cancelled: 'none',
};

/** Releases of a service, newest first, each with the environments that run it. */
export function ReleaseList({ service, row }: { service: string; row: MatrixService | undefined }) {
  const releases = useQuery(queries.releases({ service, limit: 200 }));
  return (
    <Loaded
      query={releases}
      skeleton={
        <div className="p-4">
          <Skeleton lines={6} />
        </div>
      }
    >
      {({ releases: all }) =>
        all.length === 0 ? (
          <Empty title="No release yet" command={`slipway release ${service} <commit>`}>
            The next commit on the branch becomes a release by itself.
          </Empty>
        ) : (
          <ol className="divide-y">
            {all.map((release) => (
              <li key={release.id}>
                <Line release={release} row={row} />
              </li>
            ))}
          </ol>
        )
      }
    </Loaded>
  );
}

function Line({ release, row }: { release: Release; row: MatrixService | undefined }) {
  const running = (row?.cells ?? []).filter((cell) => cell.current?.releaseId === release.id);
  return (
    <Link
      to="/releases/$release"
      params={{ release: release.id }}
      className="grid grid-cols-[3.5rem_6rem_minmax(0,1fr)_auto_auto] items-center gap-x-3 px-4 py-2 hover:bg-raised focus-visible:-outline-offset-2 max-md:grid-cols-[3rem_5.5rem_1fr]"
    >
      <span className="font-semibold">#{release.number}</span>
      <span>
        <Badge tone={RELEASE_TONES[release.status] ?? 'none'}>{release.status}</Badge>
      </span>
      <span className="min-w-0 truncate">
        {firstLine(release.commit.message)}
        <span className="ml-2 text-xs text-muted">
          <code className="font-mono">{shortCommit(release.commit.sha)}</code> {release.commit.author}
          {release.problem !== null && ` · ${release.problem}`}
        </span>
      </span>
      <span className="flex gap-1 max-md:hidden">
        {running.map((cell) => (
          <span key={cell.environment} className="rounded border border-strong px-1.5 text-2xs font-medium">
            {cell.environment}
          </span>
        ))}
      </span>
      <Time at={release.createdAt} quiet className="w-20 text-right text-xs text-muted max-md:hidden" />
    </Link>
  );
}
