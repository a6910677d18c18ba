import { getRouteApi } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { plural } from '../format/names.ts';
import { Button } from '../parts/button.tsx';
import { FilterInput } from '../parts/field.tsx';
import { Panel } from '../parts/panel.tsx';
import { ScrollRegion } from '../parts/scroll-region.tsx';
import { Failure } from '../parts/states.tsx';
import { search } from './log-text.ts';
import { useLog } from './use-log.ts';

const route = getRouteApi('/builds/$build');
const LINE_HEIGHT = 18;

/** The log with search; the address holds the step, the words and the line. */
export function LogView({ build, running }: { build: string; running: boolean }) {
  const { step, q = '', line } = route.useSearch();
  const navigate = route.useNavigate();
  const [attempt, setAttempt] = useState(0);
  const { lines, state, error } = useLog(build, step, attempt);
  const scroller = useRef<HTMLDivElement>(null);
  const found = useMemo(() => search(lines, q), [lines, q]);
  const foundSet = useMemo(() => new Set(found), [found]);
  const [place, setPlace] = useState(0);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 20,
  });
  useFollow(scroller, lines.length, running && q === '' && line === undefined);
  const target = line !== undefined && q === '' ? line - 1 : found[Math.min(place, found.length - 1)];
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls when the target changes, not with every line
  useEffect(() => {
    if (target !== undefined && target < lines.length) rows.scrollToIndex(target, { align: 'center' });
  }, [target, target !== undefined && target < lines.length]);
  const move = (by: number) =>
    setPlace((old) => (found.length === 0 ? 0 : (old + by + found.length) % found.length));
  return (
    <Panel
      title={step === undefined ? 'Log' : `Log of ${step}`}
      flush
      aside={
        <>
          {q !== '' && (
            <span aria-live="polite">
              {found.length === 0 ? 'not found' : `${Math.min(place + 1, found.length)} of ${found.length}`}
            </span>
          )}
          <FilterInput
            label="Search the log"
            value={q}
            maxLength={200}
            onKeyDown={(event) => {
              if (event.key === 'Enter') move(event.shiftKey ? -1 : 1);
            }}
            onChange={(event) => {
              setPlace(0);
              void navigate({
                search: (old) => ({ ...old, q: event.target.value === '' ? undefined : event.target.value }),
                replace: true,
              });
            }}
          />
          <Button onClick={() => move(-1)} disabled={found.length === 0} aria-label="Previous hit">
            ↑
          </Button>
          <Button onClick={() => move(1)} disabled={found.length === 0} aria-label="Next hit">
            ↓
          </Button>
        </>
      }
    >
      {error !== null && (
        <div className="p-4">
          <Failure error={error} retry={() => setAttempt((old) => old + 1)} />
        </div>
      )}
      {lines.length === 0 && error === null ? (
        <p className="p-4 text-muted">{state === 'reading' ? 'Reading the log…' : 'Nothing was written.'}</p>
      ) : (
        <ScrollRegion ref={scroller} label="Log lines" className="max-h-[36rem] py-2">
          <div className="relative w-max min-w-full" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => {
              const entry = lines[row.index];
              if (entry === undefined) return null;
              const here = row.index === target;
              return (
                <div
                  key={row.index}
                  className={`absolute left-0 flex min-w-full font-mono text-xs ${here ? 'bg-wait-soft' : foundSet.has(row.index) ? 'bg-raised' : ''}`}
                  style={{ top: row.start, height: LINE_HEIGHT, lineHeight: `${LINE_HEIGHT}px` }}
                >
                  <button
                    type="button"
                    tabIndex={-1}
                    aria-label={`Link to line ${entry.number}`}
                    onClick={() =>
                      void navigate({ search: (old) => ({ ...old, line: entry.number }), replace: true })
                    }
                    className="w-14 shrink-0 pr-3 text-right text-muted select-none hover:text-accent"
                  >
                    {entry.number}
                  </button>
                  <span className={`pr-4 whitespace-pre ${entry.heading ? 'font-semibold text-accent' : ''}`}>
                    {entry.text}
                  </span>
                </div>
              );
            })}
          </div>
        </ScrollRegion>
      )}
      <p className="border-t px-4 py-1 text-xs text-muted">
        {plural(lines.length, 'line')}
        {state === 'reading' && running ? ', more as they are written' : ''}
      </p>
    </Panel>
  );
}

/** Stays at the end while lines come in, unless the reader has scrolled up. */
function useFollow(ref: React.RefObject<HTMLElement | null>, count: number, follow: boolean): void {
  const atEnd = useRef(true);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const watch = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    };
    element.addEventListener('scroll', watch);
    return () => element.removeEventListener('scroll', watch);
  }, [ref]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when lines were added
  useEffect(() => {
    const element = ref.current;
    if (element !== null && follow && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [ref, count, follow]);
}
