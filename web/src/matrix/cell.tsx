import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import type { Cell } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { count, latency, percent } from '../format/numbers.ts';
import { TONE_TEXT } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { historyOf, mainGroup, totalRps } from './history.ts';
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
      <Current cell={cell} compact={compact} />
      {!compact && <Message cell={cell} />}
      {!compact && <Traffic cell={cell} />}
      <Status status={status} cell={cell} compact={compact} />
    </Link>
  );
});

function Current({ cell, compact }: { cell: Cell; compact: boolean }) {
  const { word, tone } = HEALTH[cell.health];
  const { current } = cell;
  const health = `tone-before whitespace-nowrap text-xs ${TONE_TEXT[tone]}`;
  if (current === null)
    return (
      <span data-tone={tone} className={health} title={cell.healthReason}>
        {word}
      </span>
    );
  return (
    <span className="flex min-w-0 items-baseline gap-1.5" title={cell.healthReason}>
      <span className="font-semibold">
        {current.releaseNumber === null ? '?' : `#${current.releaseNumber}`}
      </span>
      <code className="font-mono text-xs text-muted">
        {shortDigest(current.digest).slice(0, compact ? 6 : 8)}
      </code>
      <span data-tone={tone} className={health}>
        {word}
      </span>
      <Time at={current.since} quiet age={compact} className="ml-auto text-xs whitespace-nowrap text-muted" />
    </span>
  );
}

function Message({ cell }: { cell: Cell }) {
  return <span className="truncate text-xs text-muted">{cell.current?.message ?? ' '}</span>;
}

function Traffic({ cell }: { cell: Cell }) {
  const main = cell.sample ? mainGroup(cell.sample) : undefined;
  if (!cell.sample || !main)
    return <span className="text-xs text-muted">{cell.current ? 'no traffic seen' : ' '}</span>;
  return (
    <span className="flex min-w-0 items-center gap-3 text-xs">
      <span className="whitespace-nowrap">{count(totalRps(cell.sample))} rps</span>
      <span className="whitespace-nowrap">{percent(main.errorRate)} err</span>
      <span className="whitespace-nowrap">{latency(main.p99S)} p99</span>
      <span className="ml-auto">
        <Sparkline values={historyOf(cell.service, cell.environment)} />
      </span>
    </span>
  );
}

function Status({ status, cell, compact }: { status: CellStatus | null; cell: Cell; compact: boolean }) {
  const settled = status === null || (status.kind === 'ended' && status.tone === 'ok');
  if (compact && settled) return <span className="truncate text-xs text-muted">{figures(cell)}</span>;
  if (status === null) return null;
  const quiet = status.tone === 'ok' || status.tone === 'none';
  const why = status.reason !== '' && !settled ? `: ${status.reason}` : '';
  const words = (
    <span
      data-tone={status.tone}
      title={status.reason}
      className={`min-w-0 truncate text-xs ${status.weight === null ? 'tone-before' : ''} ${quiet ? 'text-muted' : TONE_TEXT[status.tone]}`}
    >
      {status.weight === null ? '' : `${status.weight} % `}
      {status.text}
      {why}
    </span>
  );
  if (status.weight === null) return words;
  return (
    <span className="flex min-w-0 items-center gap-1.5">
      <span aria-hidden className="h-1.5 w-10 shrink-0 overflow-hidden rounded-full bg-line">
        <span className="bar-fill block h-full bg-accent" style={{ width: `${status.weight}%` }} />
      </span>
      {words}
    </span>
  );
}

/** `412 rps, 0.04 % err`. */
function figures(cell: Cell): string {
  const group = cell.sample ? mainGroup(cell.sample) : undefined;
  if (!cell.sample || !group) return cell.current ? 'no traffic seen' : '';
  return `${count(totalRps(cell.sample))} rps, ${percent(group.errorRate)} err`;
}
