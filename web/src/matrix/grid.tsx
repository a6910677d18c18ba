// biome-ignore-all lint/a11y/useSemanticElements: a table cannot be virtualized in both directions; the grid roles say the same
// biome-ignore-all lint/a11y/useFocusableInteractive: the link inside each cell has the focus, one tab stop for all
import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { Environment, MatrixService } from '../api/types.ts';
import { useWidth } from '../parts/use-width.ts';
import { MatrixCell } from './cell.tsx';

/** Of the first column, in pixels; narrower where the grid is. */
const SERVICE_WIDTHS = { wide: 208, narrow: 112 };
const NARROW = 640;
const HEADER_HEIGHT = 40;

/** Many services or environments: two lines a cell; few: four. */
export function isCompact(services: number, environments: number): boolean {
  return services * environments > 60 || environments > 8;
}

/**
 * Services by environments, only what is in sight in the document: 500 by 20 stays below 3,000 nodes. Arrow keys move
 * between cells (one tab stop); rows keep the server's order, so nothing moves under the pointer.
 */
export function MatrixGrid({
  services,
  environments,
}: {
  services: readonly MatrixService[];
  environments: readonly Environment[];
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const width = useWidth(scroller, 1_200);
  const serviceWidth = width < NARROW ? SERVICE_WIDTHS.narrow : SERVICE_WIDTHS.wide;
  const compact = isCompact(services.length, environments.length);
  const rowHeight = compact ? 52 : 104;
  const columnWidth = Math.max(
    compact ? 192 : 264,
    Math.floor((width - serviceWidth - 2) / Math.max(1, environments.length)),
  );
  const rows = useVirtualizer({
    count: services.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 2,
    scrollPaddingStart: HEADER_HEIGHT,
  });
  const columns = useVirtualizer({
    horizontal: true,
    count: environments.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => columnWidth,
    overscan: 1,
    scrollPaddingStart: serviceWidth,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: sizes are measured again when they change
  useEffect(() => {
    rows.measure();
    columns.measure();
  }, [rowHeight, columnWidth]);
  const { at, onKeyDown, onFocus } = useRoving(
    services.length,
    environments.length,
    scroller,
    (row, column) => {
      rows.scrollToIndex(row);
      columns.scrollToIndex(column);
    },
  );
  return (
    <div
      ref={scroller}
      role="grid"
      aria-label="Services by environment"
      aria-rowcount={services.length + 1}
      aria-colcount={environments.length + 1}
      onKeyDown={onKeyDown}
      onFocus={onFocus}
      className="relative max-h-[calc(100vh-9.5rem)] min-h-24 overflow-auto rounded-lg border bg-panel"
      style={{ height: services.length * rowHeight + HEADER_HEIGHT + 2 }}
    >
      <div
        style={{ width: columns.getTotalSize() + serviceWidth, height: rows.getTotalSize() + HEADER_HEIGHT }}
      >
        <div
          role="row"
          aria-rowindex={1}
          className="sticky top-0 z-20 flex border-b bg-panel"
          style={{ height: HEADER_HEIGHT }}
        >
          <div
            role="columnheader"
            aria-colindex={1}
            className="sticky left-0 z-10 flex items-center bg-panel px-4 text-xs font-medium text-muted"
            style={{ width: serviceWidth }}
          >
            Service
          </div>
          {columns.getVirtualItems().map((column) => {
            const environment = environments[column.index];
            if (environment === undefined) return null;
            return (
              <div
                key={environment.name}
                role="columnheader"
                aria-colindex={column.index + 2}
                className="absolute top-0 flex items-center gap-2 border-l px-3 text-sm font-semibold"
                style={{ left: column.start + serviceWidth, width: column.size, height: HEADER_HEIGHT - 1 }}
              >
                <span className="truncate">{environment.name}</span>
                {environment.production && (
                  <span className="rounded border border-strong px-1 text-2xs font-medium text-muted">
                    production
                  </span>
                )}
              </div>
            );
          })}
        </div>
        {rows.getVirtualItems().map((row) => {
          const service = services[row.index];
          if (service === undefined) return null;
          return (
            <div
              key={service.name}
              role="row"
              aria-rowindex={row.index + 2}
              className="absolute left-0 border-b"
              style={{
                top: row.start + HEADER_HEIGHT,
                height: row.size,
                width: columns.getTotalSize() + serviceWidth,
              }}
            >
              <ServiceHead
                service={service}
                compact={compact}
                width={serviceWidth}
                tabIndex={at.row === row.index && at.column === -1 ? 0 : -1}
              />
              {columns.getVirtualItems().map((column) => {
                const environment = environments[column.index];
                const cell = service.cells.find((one) => one.environment === environment?.name);
                if (cell === undefined) return null;
                return (
                  <div
                    key={cell.environment}
                    role="gridcell"
                    aria-colindex={column.index + 2}
                    data-at={`${row.index}:${column.index}`}
                    className="absolute top-0 h-full border-l"
                    style={{ left: column.start + serviceWidth, width: column.size }}
                  >
                    <MatrixCell
                      cell={cell}
                      compact={compact}
                      tabIndex={at.row === row.index && at.column === column.index ? 0 : -1}
                    />
                  </div>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function ServiceHead({
  service,
  compact,
  width,
  tabIndex,
}: {
  service: MatrixService;
  compact: boolean;
  width: number;
  tabIndex: number;
}) {
  const { latest } = service;
  return (
    <div role="rowheader" aria-colindex={1} className="sticky left-0 z-10 h-full bg-panel" style={{ width }}>
      <Link
        to="/services/$service"
        params={{ service: service.name }}
        tabIndex={tabIndex}
        preload={false}
        data-service={service.name}
        className="flex h-full min-w-0 flex-col justify-center gap-0.5 px-3 hover:bg-raised focus-visible:-outline-offset-2"
      >
        <span className="truncate font-semibold">{service.name}</span>
        {latest !== null && (
          <span className="truncate text-xs text-muted" title={latest.message}>
            latest #{latest.number} {latest.status}
          </span>
        )}
        {!compact && service.pollProblem !== null && (
          <span className="truncate text-xs text-bad" title={service.pollProblem}>
            {service.pollProblem}
          </span>
        )}
      </Link>
    </div>
  );
}

interface At {
  row: number;
  /** -1 is the service's own column. */
  column: number;
}

const MOVES: Readonly<Record<string, (at: At, rows: number, columns: number) => At>> = {
  ArrowUp: ({ row, column }) => ({ row: row - 1, column }),
  ArrowDown: ({ row, column }) => ({ row: row + 1, column }),
  ArrowLeft: ({ row, column }) => ({ row, column: column - 1 }),
  ArrowRight: ({ row, column }) => ({ row, column: column + 1 }),
  Home: ({ row }) => ({ row, column: -1 }),
  End: ({ row }, _, columns) => ({ row, column: columns - 1 }),
  PageUp: ({ row, column }) => ({ row: row - 10, column }),
  PageDown: ({ row, column }) => ({ row: row + 10, column }),
};

/** One tab stop for the whole grid; arrows move it, and bring what is not in the document into sight first. */
function useRoving(
  rows: number,
  columns: number,
  grid: React.RefObject<HTMLElement | null>,
  show: (row: number, column: number) => void,
) {
  const [at, setAt] = useState<At>({ row: 0, column: 0 });
  const clamped = { row: Math.min(at.row, Math.max(0, rows - 1)), column: Math.min(at.column, columns - 1) };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = move(clamped, rows, columns);
    const to = {
      row: Math.max(0, Math.min(rows - 1, next.row)),
      column: Math.max(-1, Math.min(columns - 1, next.column)),
    };
    setAt(to);
    show(to.row, Math.max(0, to.column));
    focusAt(grid, to, 10);
  };
  const onFocus = (event: React.FocusEvent) => {
    const cell = event.target.closest('[role=gridcell],[role=rowheader]');
    const row = Number(cell?.closest('[role=row]')?.getAttribute('aria-rowindex') ?? 2) - 2;
    const column = Number(cell?.getAttribute('aria-colindex') ?? 2) - 2;
    if (row !== at.row || column !== at.column) setAt({ row, column });
  };
  return { at: clamped, onKeyDown, onFocus };
}

/** The cell may be drawn only after the scroll: looks for it for a few frames. */
function focusAt(grid: React.RefObject<HTMLElement | null>, { row, column }: At, frames: number): void {
  requestAnimationFrame(() => {
    const line = grid.current?.querySelector(`[aria-rowindex="${row + 2}"]`);
    const link = line?.querySelector<HTMLElement>(`[aria-colindex="${column + 2}"] a`);
    if (link) link.focus({ preventScroll: true });
    else if (frames > 0) focusAt(grid, { row, column }, frames - 1);
  });
}
