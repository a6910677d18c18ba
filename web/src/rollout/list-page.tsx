import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import { Page } from '../parts/page.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { RolloutList } from './rollout-list.tsx';

const route = getRouteApi('/rollouts');

export function RolloutsPage() {
  const { service, environment, active } = route.useSearch();
  const navigate = route.useNavigate();
  const rollouts = useQuery(queries.rollouts({ service, environment, active, limit: 200 }));
  const filtered = service !== undefined || environment !== undefined || active !== undefined;
  return (
    <Page
      title="Rollouts"
      windowTitle="Rollouts"
      actions={
        <>
          {(service ?? environment) !== undefined && (
            <button
              type="button"
              className="text-xs link"
              onClick={() =>
                void navigate({ search: (old) => ({ ...old, service: undefined, environment: undefined }) })
              }
            >
              only {[service, environment].filter(Boolean).join(' in ')}: show all
            </button>
          )}
          <label className="inline-flex items-center gap-1.5 text-sm">
            <input
              type="checkbox"
              checked={active === 'true'}
              onChange={(event) =>
                void navigate({
                  search: (old) => ({ ...old, active: event.target.checked ? ('true' as const) : undefined }),
                  replace: true,
                })
              }
            />
            only under way
          </label>
        </>
      }
    >
      <section aria-label="Rollouts" className="rounded-lg border bg-panel">
        <Loaded query={rollouts}>
          {({ rollouts: all }) =>
            all.length === 0 ? (
              <Empty
                title={filtered ? 'No rollout fits the filter' : 'Nothing has been rolled out yet'}
                command={filtered ? undefined : 'slipway promote <service> <environment> --release <number>'}
              >
                {filtered
                  ? undefined
                  : 'A release that its first environment accepts starts a rollout there by itself.'}
              </Empty>
            ) : (
              <RolloutList rollouts={all} lane />
            )
          }
        </Loaded>
      </section>
    </Page>
  );
}
