import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import { firstLine, plural } from '../format/names.ts';
import { Loaded, Skeleton } from '../parts/states.tsx';
import { changesBetween } from './diff.ts';

const SHOWN = 8;

/** The commits that a change of version brings, or takes away on the way back. */
export function Changes({ service, environment, to }: { service: string; environment: string; to: number }) {
  const lanes = useQuery({ ...queries.lanes(service), refetchInterval: false });
  const releases = useQuery(queries.releases({ service, limit: 200 }));
  const cell = lanes.data?.services[0]?.cells.find((one) => one.environment === environment);
  return (
    <section>
      <h3 className="mb-1.5 text-xs font-medium text-muted">What changes</h3>
      <Loaded query={releases} skeleton={<Skeleton lines={3} />}>
        {({ releases: all }) => {
          const from = cell?.current?.releaseNumber ?? null;
          const { brings, takesAway } = changesBetween(all, from, to);
          const list = takesAway.length > 0 ? takesAway : brings;
          if (from === to) return <p className="text-muted">It runs there already.</p>;
          return (
            <>
              <p>
                {takesAway.length > 0
                  ? `Takes away ${plural(takesAway.length, 'release')}, back from #${from} to #${to}:`
                  : from === null
                    ? `Nothing runs in ${environment}; #${to} is the first.`
                    : `Brings ${plural(brings.length, 'release')}, from #${from} to #${to}:`}
              </p>
              <ul className="mt-1 flex flex-col gap-0.5">
                {list.slice(0, SHOWN).map((release) => (
                  <li key={release.id} className="flex min-w-0 gap-2">
                    <Link to="/releases/$release" params={{ release: release.id }} className="shrink-0 link">
                      #{release.number}
                    </Link>
                    <span className="truncate">{firstLine(release.commit.message)}</span>
                    <span className="ml-auto shrink-0 text-xs text-muted">{release.commit.author}</span>
                  </li>
                ))}
              </ul>
              {list.length > SHOWN && <p className="text-xs text-muted">and {list.length - SHOWN} more</p>}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}
