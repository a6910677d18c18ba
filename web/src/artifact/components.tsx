import { getRouteApi } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import { plural } from '../format/names.ts';
import { FilterInput } from '../parts/field.tsx';
import { Empty } from '../parts/states.tsx';
import type { Component } from './predicate.ts';

const route = getRouteApi('/artifacts/$digest');
const ROW = 30;

const COLUMNS = [
  { key: 'name', name: 'Name' },
  { key: 'version', name: 'Version' },
  { key: 'licences', name: 'Licences' },
  { key: 'scope', name: 'Scope' },
  { key: 'purl', name: 'Package URL' },
] as const;

type Key = (typeof COLUMNS)[number]['key'];

const GRID = 'grid grid-cols-[minmax(0,2fr)_minmax(0,1fr)_minmax(0,1fr)_6rem_minmax(0,3fr)] gap-x-3 px-4';

/** The SBOM as a table: searched, sorted, drawn only where it is seen. */
export function Components({ components, hasSbom }: { components: readonly Component[]; hasSbom: boolean }) {
  const { q = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const [sort, setSort] = useState<{ key: Key; down: boolean }>({ key: 'name', down: false });
  const shown = useMemo(() => arrange(components, q, sort), [components, q, sort]);
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  if (components.length === 0)
    return hasSbom ? (
      <Empty title="The SBOM names no component">
        It has no dependency that a lockfile or the image knows of.
      </Empty>
    ) : (
      <Empty title="There is no SBOM">Nobody can say what is inside; most gates refuse such an image.</Empty>
    );
  return (
    <>
      <div className="flex items-center gap-3 px-4 py-2">
        <FilterInput
          label="Search components"
          value={q}
          maxLength={200}
          onChange={(event) =>
            void navigate({
              search: (old) => ({ ...old, q: event.target.value === '' ? undefined : event.target.value }),
              replace: true,
            })
          }
        />
        <span className="text-xs text-muted" aria-live="polite">
          {shown.length === components.length
            ? plural(components.length, 'component')
            : `${shown.length} of ${components.length}`}
        </span>
      </div>
      {/* biome-ignore-start lint/a11y/useSemanticElements: a table cannot be virtualized; the roles say the same */}
      {/* biome-ignore-start lint/a11y/useFocusableInteractive: cells are read, not operated */}
      <div role="table" aria-label="Components" aria-rowcount={shown.length + 1} className="border-t">
        <div role="rowgroup">
          <div role="row" aria-rowindex={1} className={`${GRID} border-b bg-raised text-xs`}>
            {COLUMNS.map(({ key, name }) => (
              <div
                key={key}
                role="columnheader"
                aria-sort={sort.key !== key ? 'none' : sort.down ? 'descending' : 'ascending'}
              >
                <button
                  type="button"
                  className="py-1 font-medium hover:underline"
                  onClick={() => setSort((old) => ({ key, down: old.key === key && !old.down }))}
                >
                  {name}
                  <span aria-hidden>{sort.key !== key ? '' : sort.down ? ' ↓' : ' ↑'}</span>
                </button>
              </div>
            ))}
          </div>
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
        <div ref={scroller} role="rowgroup" tabIndex={0} className="max-h-[32rem] overflow-y-auto">
          <div role="presentation" className="relative" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => {
              const component = shown[row.index];
              if (component === undefined) return null;
              return (
                <div
                  key={row.index}
                  role="row"
                  aria-rowindex={row.index + 2}
                  className={`${GRID} absolute inset-x-0 items-center border-b`}
                  style={{ top: row.start, height: ROW }}
                >
                  {COLUMNS.map(({ key }) => (
                    <div
                      key={key}
                      role="cell"
                      title={component[key]}
                      className={`truncate ${key === 'purl' ? 'font-mono text-xs text-muted' : key === 'name' ? 'font-medium' : ''}`}
                    >
                      {component[key] || <span className="text-muted">–</span>}
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      </div>
      {/* biome-ignore-end lint/a11y/useFocusableInteractive: cells are read, not operated */}
      {/* biome-ignore-end lint/a11y/useSemanticElements: a table cannot be virtualized; the roles say the same */}
    </>
  );
}

/** Those that hold every word, in order of a column. */
export function arrange(
  components: readonly Component[],
  query: string,
  sort: { key: Key; down: boolean },
): readonly Component[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fit = components.filter((component) => {
    const text =
      `${component.name} ${component.version} ${component.licences} ${component.purl}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const order = (a: Component, b: Component) =>
    a[sort.key].localeCompare(b[sort.key], 'en', { numeric: true });
  return fit.sort((a, b) => (sort.down ? order(b, a) : order(a, b)));
}
