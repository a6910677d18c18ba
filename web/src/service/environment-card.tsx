import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Cell, Environment } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { count, latency, percent } from '../format/numbers.ts';
import { mainGroup, totalRps } from '../matrix/history.ts';
import { HEALTH, statusOf } from '../matrix/words.ts';
import { Button } from '../parts/button.tsx';
import { External } from '../parts/external.tsx';
import { Badge, TONE_TEXT, ToneIcon } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { PromoteDialog } from './promote-dialog.tsx';
import { RollbackDialog } from './rollback-dialog.tsx';

/** One environment of a service: what runs, how it is, what moves, and what a person may do. */
export function EnvironmentCard({
  cell,
  environment,
  chosen,
}: {
  cell: Cell;
  environment: Environment;
  chosen: boolean;
}) {
  const [asked, setAsked] = useState<'promote' | 'rollback' | null>(null);
  const health = HEALTH[cell.health];
  const { current, sample } = cell;
  const main = sample ? mainGroup(sample) : undefined;
  return (
    <section
      aria-label={environment.name}
      className={`flex min-w-0 flex-col gap-2 rounded-lg border bg-panel p-4 ${chosen ? 'border-accent' : ''}`}
    >
      <header className="flex items-center gap-2">
        <h2 className="text-sm font-semibold">{environment.name}</h2>
        {environment.production && (
          <span className="rounded border border-strong px-1 text-2xs font-medium text-muted">
            production
          </span>
        )}
        <span className="ml-auto">
          <Badge tone={health.tone}>{health.word}</Badge>
        </span>
      </header>
      {current === null ? (
        <p className="text-muted">Nothing runs here yet.</p>
      ) : (
        <p className="flex min-w-0 flex-wrap items-baseline gap-x-2">
          <CurrentName current={current} />
          <Link
            to="/artifacts/$digest"
            params={{ digest: current.digest }}
            className="font-mono text-xs link"
            title={current.digest}
          >
            {shortDigest(current.digest)}
          </Link>
          <span className="text-xs text-muted">
            since <Time at={current.since} />
          </span>
          <span className="basis-full truncate text-xs text-muted">{current.message}</span>
        </p>
      )}
      <p className="text-xs text-muted">{cell.healthReason}</p>
      {sample && main && (
        <p className="flex flex-wrap gap-x-4 text-xs">
          <span>{count(totalRps(sample))} rps</span>
          <span>{percent(main.errorRate)} errors</span>
          <span>{latency(main.p50S)} p50</span>
          <span>{latency(main.p99S)} p99</span>
        </p>
      )}
      <CardStatus cell={cell} />
      <footer className="mt-auto flex flex-wrap items-center gap-2 pt-1">
        <Button onClick={() => setAsked('promote')}>Promote…</Button>
        <Button onClick={() => setAsked('rollback')} disabled={current === null}>
          Roll back…
        </Button>
        <span className="ml-auto flex gap-3 text-xs">
          {cell.url !== null && current !== null && (
            <External url={cell.url.replace('127.0.0.1', location.hostname)}>open</External>
          )}
          <Link to="/why" search={{ subject: `${cell.service}/${cell.environment}` }} className="link">
            why
          </Link>
        </span>
      </footer>
      <PromoteDialog
        open={asked === 'promote'}
        onOpenChange={(open) => setAsked(open ? 'promote' : null)}
        cell={cell}
        environment={environment}
      />
      <RollbackDialog
        open={asked === 'rollback'}
        onOpenChange={(open) => setAsked(open ? 'rollback' : null)}
        cell={cell}
        environment={environment}
      />
    </section>
  );
}

function CurrentName({ current }: { current: NonNullable<Cell['current']> }) {
  const name = current.releaseNumber === null ? '?' : `#${current.releaseNumber}`;
  if (current.releaseId === null) return <span className="text-base font-semibold">{name}</span>;
  return (
    <Link
      to="/releases/$release"
      params={{ release: current.releaseId }}
      className="text-base font-semibold hover:underline"
    >
      {name}
    </Link>
  );
}

function CardStatus({ cell }: { cell: Cell }) {
  const status = statusOf(cell);
  if (status === null) return null;
  const rolloutId = cell.moving?.rolloutId ?? (cell.waiting.length === 0 ? cell.last?.rolloutId : undefined);
  const body = (
    <>
      <ToneIcon tone={status.tone} className={`mt-0.5 ${TONE_TEXT[status.tone]}`} />
      <span className="min-w-0 break-words">
        {status.weight === null ? '' : `${status.weight} % `}
        {status.text}
        {status.reason !== '' && <span className="text-muted">: {status.reason}</span>}
      </span>
    </>
  );
  const style = 'flex gap-1.5 rounded-md text-xs';
  if (rolloutId === undefined) return <p className={style}>{body}</p>;
  return (
    <Link to="/rollouts/$rollout" params={{ rollout: rolloutId }} className={`${style} hover:underline`}>
      {body}
    </Link>
  );
}
