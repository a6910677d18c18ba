import { useQueries, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { Promotion } from '../api/types.ts';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { ApprovalCard } from './card.tsx';

const MAX_OPEN = 500;

export function ApprovalsPage() {
  const open = useQuery(queries.promotions({ open: 'true', limit: MAX_OPEN }));
  return (
    <Page title="Approvals" windowTitle="Approvals">
      <Loaded query={open}>
        {({ promotions }) => {
          const waiting = promotions.filter((one) => one.status === 'awaiting-approval');
          const others = promotions.filter(
            (one) => one.status !== 'awaiting-approval' && one.status !== 'rolling',
          );
          return (
            <>
              {waiting.length === 0 ? (
                <section aria-label="Waiting for a person" className="rounded-lg border bg-panel">
                  <Empty
                    title="Nothing waits for a person"
                    command="slipway promote <service> <environment> --release <number>"
                  >
                    A promotion comes here when its environment asks for approvals and every policy has
                    allowed it.
                  </Empty>
                </section>
              ) : (
                <ul className="flex flex-col gap-4" aria-label="Waiting for a person">
                  {waiting.map((promotion) => (
                    <li key={promotion.id}>
                      <ApprovalCard promotion={promotion} />
                    </li>
                  ))}
                </ul>
              )}
              {others.length > 0 && <Waiting promotions={others} />}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Waiting({ promotions }: { promotions: readonly Promotion[] }) {
  const releases = useQueries({
    queries: promotions.map((one) => ({
      ...queries.release(one.releaseId ?? ''),
      enabled: one.releaseId !== null,
    })),
  });
  return (
    <Panel title="Waiting for something else" flush>
      <ul className="divide-y">
        {promotions.map((promotion, i) => (
          <li key={promotion.id}>
            <Link
              to="/services/$service"
              params={{ service: promotion.service }}
              search={{ environment: promotion.environment }}
              className="grid grid-cols-[minmax(0,16rem)_8rem_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-2 hover:bg-raised focus-visible:-outline-offset-2 max-md:grid-cols-[1fr_auto]"
            >
              <span className="truncate font-medium">
                {promotion.service} → {promotion.environment}
                <span className="ml-2 font-normal text-muted">
                  {releases[i]?.data ? `#${releases[i].data.number}` : ''}
                </span>
              </span>
              <span>
                <Badge tone="none">{promotion.status}</Badge>
              </span>
              <span className="truncate text-xs text-muted max-md:hidden">{promotion.reason ?? ''}</span>
              <Time at={promotion.statusAt} quiet className="text-xs text-muted" />
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
