import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import type { Cell } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { count, latency, percent } from '../format/numbers.ts';
import { TONE_TEXT, ToneIcon } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { historyOf, totalRps } from './history.ts';
import { Sparkline } from './sparkline.tsx';
import { type CellStatus, HEALTH, statusOf } from './words.ts';

/** One service in one environment. The whole cell is one link: to what moves, else to the lane. */
export const MatrixCell = memo(function MatrixCell({
  cell,
  compact,
  tabIndex,
}: {
  cell: Cell;
  compact: boolean;
  tabIndex: number;
}) {
  const status = statusOf(cell);
  const target = cell.moving
    ? ({ to: '/rollouts/$rollout', params: { rollout: cell.moving.rolloutId } } as const)
    : ({
        to: '/services/$service',
        params: { service: cell.service },
        search: { environment: cell.environment },
      } as const);
  return (
    <Link
      {...target}
      tabIndex={tabIndex}
      preload={false}
      data-cell={`${cell.service}/${cell.environment}`}
      className={`flex h-full min-w-0 flex-col justify-center px-3 hover:bg-raised focus-visible:-outline-offset-2 ${compact ? 'gap-0.5' : 'gap-1'}`}
    >
      <Current cell={cell} />
      {!compact && <Message cell={cell} />}
      {!compact && <Traffic cell={cell} />}
      {(status !== null || compact) && <Status status={status} cell={cell} />}
    </Link>
  );
});

function Current({ cell }: { cell: Cell }) {
  const { word, tone } = HEALTH[cell.health];
  const { current } = cell;
  return (
    <span className="flex min-w-0 items-center gap-1.5" title={cell.healthReason}>
      <ToneIcon tone={tone} />
      {current === null ? (
        <span className="text-muted">{word}</span>
      ) : (
        <>
          <span className="font-semibold">
            {current.releaseNumber === null ? '?' : `#${current.releaseNumber}`}
          </span>
          <code className="truncate font-mono text-xs text-muted">
            {shortDigest(current.digest).slice(0, 8)}
          </code>
          <span className={`text-xs ${TONE_TEXT[tone]}`}>{word}</span>
          <Time at={current.since} quiet className="ml-auto text-xs whitespace-nowrap text-muted" />
        </>
      )}
    </span>
  );
}

function Message({ cell }: { cell: Cell }) {
  return <span className="truncate text-xs text-muted">{cell.current?.message ?? ' '}</span>;
}

function Traffic({ cell }: { cell: Cell }) {
  const stable = cell.sample?.groups.stable ?? cell.sample?.groups.canary;
  if (!cell.sample || !stable)
    return <span className="text-xs text-muted">{cell.current ? 'no traffic seen' : ' '}</span>;
  return (
    <span className="flex min-w-0 items-center gap-3 text-xs">
      <span className="whitespace-nowrap">{count(totalRps(cell.sample))} rps</span>
      <span className="whitespace-nowrap">{percent(stable.errorRate)} err</span>
      <span className="whitespace-nowrap">{latency(stable.p99S)} p99</span>
      <span className="ml-auto">
        <Sparkline values={historyOf(cell.service, cell.environment)} />
      </span>
    </span>
  );
}

function Status({ status, cell }: { status: CellStatus | null; cell: Cell }) {
  if (status === null)
    return <span className="truncate text-xs text-muted">{cell.current?.message ?? ''}</span>;
  return (
    <span className="flex min-w-0 items-center gap-1.5 text-xs" title={status.reason}>
      {status.weight === null ? (
        <ToneIcon tone={status.tone} />
      ) : (
        <span aria-hidden className="h-1.5 w-10 shrink-0 overflow-hidden rounded-full bg-line">
          <span className="bar-fill block h-full bg-accent" style={{ width: `${status.weight}%` }} />
        </span>
      )}
      <span
        className={`min-w-0 truncate ${status.tone === 'ok' || status.tone === 'none' ? 'text-muted' : TONE_TEXT[status.tone]}`}
      >
        {status.weight === null ? '' : `${status.weight} % `}
        {status.text}
        {status.reason !== '' && status.kind !== 'ended' ? `: ${status.reason}` : ''}
        {status.kind === 'ended' && status.tone === 'bad' && status.reason !== '' ? `: ${status.reason}` : ''}
      </span>
    </span>
  );
}
