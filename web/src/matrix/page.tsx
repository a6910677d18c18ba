import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useDeferredValue, useRef } from 'react';
import { queries } from '../api/queries.ts';
import type { Matrix, MatrixService } from '../api/types.ts';
import { useTopics } from '../live/connection.ts';
import { FilterInput } from '../parts/field.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { ToneIcon } from '../parts/tone.tsx';
import { Activity } from './activity.tsx';
import { MatrixGrid } from './grid.tsx';
import { type Filter, select, tally } from './words.ts';

const route = getRouteApi('/');

export function MatrixPage() {
  const matrix = useQuery(queries.matrix());
  useTopics('matrix');
  return (
    <Page title="What runs where" windowTitle="Matrix" wide actions={<Filters matrix={matrix.data} />}>
      <Loaded query={matrix} skeleton={<GridSkeleton />}>
        {(data) => <Body matrix={data} />}
      </Loaded>
    </Page>
  );
}

function Body({ matrix }: { matrix: Matrix }) {
  const { q = '', show } = route.useSearch();
  const deferred = useDeferredValue(q);
  const hovered = useRef(false);
  const services = useHeld(
    select(matrix.services, deferred, show),
    matrix.services,
    `${deferred}/${show}`,
    hovered,
  );
  const navigate = route.useNavigate();
  if (matrix.services.length === 0)
    return (
      <div className="rounded-lg border bg-panel">
        <Empty
          title="No service is registered yet"
          command="slipway register <path or address of a git repository>"
        >
          A service is a git repository with a slipway.yaml. From its next commit on, Slipway builds it and
          carries it through {matrix.environments.map((one) => one.name).join(', ')}.
        </Empty>
      </div>
    );
  return (
    <>
      {services.length === 0 ? (
        <div className="rounded-lg border bg-panel">
          <Empty title="No service fits the filter">
            <button
              type="button"
              className="link"
              onClick={() => void navigate({ search: (old) => ({ ...old, q: undefined, show: undefined }) })}
            >
              Show all {matrix.services.length}
            </button>
          </Empty>
        </div>
      ) : (
        <div
          onPointerEnter={() => {
            hovered.current = true;
          }}
          onPointerLeave={() => {
            hovered.current = false;
          }}
        >
          <MatrixGrid services={services} environments={matrix.environments} />
        </div>
      )}
      {matrix.services.length <= 6 && <Activity />}
    </>
  );
}

/** While the pointer is over the grid no row leaves or enters it, whatever the live figures say. */
function useHeld(
  selected: readonly MatrixService[],
  all: readonly MatrixService[],
  choice: string,
  hovered: React.RefObject<boolean>,
): readonly MatrixService[] {
  const held = useRef<{ choice: string; names: readonly string[] }>({ choice: '', names: [] });
  if (!hovered.current || held.current.choice !== choice)
    held.current = { choice, names: selected.map((one) => one.name) };
  const names = new Set(held.current.names);
  return all.filter((service) => names.has(service.name));
}

const FILTERS: readonly { show: Filter; label: string; tone: 'move' | 'wait' | 'bad' | 'none' }[] = [
  { show: 'moving', label: 'moving', tone: 'move' },
  { show: 'waiting', label: 'waiting', tone: 'wait' },
  { show: 'trouble', label: 'in trouble', tone: 'bad' },
  { show: 'behind', label: 'behind latest', tone: 'none' },
];

function Filters({ matrix }: { matrix: Matrix | undefined }) {
  const { q = '', show } = route.useSearch();
  const navigate = route.useNavigate();
  const counts = matrix ? tally(matrix.services) : null;
  return (
    <>
      <fieldset className="flex flex-wrap items-center gap-1">
        <legend className="sr-only">Show only</legend>
        {FILTERS.map((filter) => (
          <button
            key={filter.show}
            type="button"
            aria-pressed={show === filter.show}
            onClick={() =>
              void navigate({
                search: (old) => ({ ...old, show: show === filter.show ? undefined : filter.show }),
                replace: true,
              })
            }
            className={`inline-flex h-7 items-center gap-1.5 rounded-md border px-2 text-xs font-medium ${show === filter.show ? 'border-accent bg-accent-soft text-accent' : 'bg-panel text-muted hover:border-strong hover:text-text'}`}
          >
            <ToneIcon tone={filter.tone} className={show === filter.show ? 'text-current' : 'text-muted'} />
            <span className="font-semibold text-text">{counts === null ? '–' : counts[filter.show]}</span>
            {filter.label}
          </button>
        ))}
      </fieldset>
      <FilterInput
        label="Filter services"
        value={q}
        maxLength={100}
        onChange={(event) =>
          void navigate({
            search: (old) => ({ ...old, q: event.target.value === '' ? undefined : event.target.value }),
            replace: true,
          })
        }
      />
    </>
  );
}

function GridSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="overflow-hidden rounded-lg border bg-panel">
      <div className="h-10 border-b" />
      {[0, 1, 2, 3].map((row) => (
        <div key={row} className="flex h-[104px] items-center gap-8 border-b px-4">
          <div className="skeleton h-8 w-36" />
          <div className="skeleton h-16 flex-1" />
          <div className="skeleton h-16 flex-1" />
          <div className="skeleton h-16 flex-1" />
        </div>
      ))}
    </div>
  );
}
