import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { MatrixService } from '../api/types.ts';
import { External } from '../parts/external.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Failure, Loaded, Skeleton } from '../parts/states.tsx';
import { RolloutList } from '../rollout/rollout-list.tsx';
import { BuildList } from './builds.tsx';
import { EnvironmentCard } from './environment-card.tsx';
import { ReleaseList } from './releases.tsx';

const route = getRouteApi('/services/$service');

const TABS = [
  { tab: 'releases', name: 'Releases' },
  { tab: 'rollouts', name: 'Rollouts' },
  { tab: 'builds', name: 'Builds' },
] as const;

export function ServicePage() {
  const { service: name } = route.useParams();
  const { environment, tab = 'releases' } = route.useSearch();
  const service = useQuery(queries.service(name));
  const lanes = useQuery(queries.lanes(name));
  const row = lanes.data?.services[0];
  return (
    <Page
      title={name}
      windowTitle={name}
      above={
        <Link to="/" className="hover:underline">
          Matrix
        </Link>
      }
      actions={
        service.data && (
          <span className="max-w-full truncate text-xs text-muted">
            <External url={service.data.repository} /> {service.data.branch}
          </span>
        )
      }
    >
      {service.error !== null && <Failure error={service.error} retry={() => void service.refetch()} />}
      {service.data?.problem && (
        <Failure error={new Error(`The last look at the repository failed: ${service.data.problem}`)} />
      )}
      <Loaded query={lanes} skeleton={<Skeleton lines={2} height={140} />}>
        {({ environments }) =>
          row === undefined ? (
            <p className="text-muted">No service of this name is registered.</p>
          ) : (
            <div className="grid gap-4 md:grid-cols-2 xl:grid-cols-3">
              {environments.map((one) => {
                const cell = row.cells.find((candidate) => candidate.environment === one.name);
                return (
                  cell && (
                    <EnvironmentCard
                      key={one.name}
                      cell={cell}
                      environment={one}
                      chosen={one.name === environment}
                    />
                  )
                );
              })}
            </div>
          )
        }
      </Loaded>
      <section className="rounded-lg border bg-panel" aria-label="History">
        <div role="tablist" aria-label="History" className="flex gap-1 border-b px-3 pt-1.5">
          {TABS.map((one) => (
            <Link
              key={one.tab}
              to="/services/$service"
              params={{ service: name }}
              search={(old) => ({ ...old, tab: one.tab })}
              replace
              role="tab"
              aria-selected={tab === one.tab}
              className={`-mb-px border-b-2 px-2.5 py-1.5 text-sm font-medium ${tab === one.tab ? 'border-accent text-text' : 'border-transparent text-muted hover:text-text'}`}
            >
              {one.name}
            </Link>
          ))}
        </div>
        <div role="tabpanel" aria-label={TABS.find((one) => one.tab === tab)?.name}>
          {tab === 'releases' && <ReleaseList service={name} row={row} />}
          {tab === 'rollouts' && <Rollouts service={name} />}
          {tab === 'builds' && <BuildList service={name} />}
        </div>
      </section>
    </Page>
  );
}

function Rollouts({ service }: { service: string }) {
  const rollouts = useQuery(queries.rollouts({ service, limit: 100 }));
  return (
    <Loaded
      query={rollouts}
      skeleton={
        <div className="p-4">
          <Skeleton lines={6} />
        </div>
      }
    >
      {({ rollouts: all }) =>
        all.length === 0 ? (
          <Empty
            title="Nothing has been rolled out yet"
            command={`slipway promote ${service} <environment> --release <number>`}
          />
        ) : (
          <RolloutList rollouts={all} />
        )
      }
    </Loaded>
  );
}

export type Row = MatrixService | undefined;
