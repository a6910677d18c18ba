import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem } from '../api/problem.ts';
import { Button } from './button.tsx';
import { Copy } from './copy.tsx';
import { ToneIcon } from './tone.tsx';

/** Nothing here yet, and the command that changes that. */
export function Empty({
  title,
  children,
  command,
}: {
  title: string;
  children?: ReactNode;
  command?: string;
}) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-8 text-center">
      <p className="font-medium">{title}</p>
      {children !== undefined && <p className="max-w-prose text-muted">{children}</p>}
      {command !== undefined && (
        <p className="flex max-w-full items-center gap-1 rounded-md border bg-raised py-1 pr-1 pl-3">
          <code className="overflow-x-auto font-mono text-xs whitespace-nowrap">{command}</code>
          <Copy text={command} label="Copy the command" />
        </p>
      )}
    </div>
  );
}

/** What failed, where it failed; the rest of the page goes on. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = asProblem(error);
  return (
    <div role="alert" className="flex gap-2 rounded-md border border-bad/40 bg-bad-soft px-3 py-2 text-sm">
      <ToneIcon tone="bad" className="mt-0.5 text-bad" />
      <div className="min-w-0 flex-1">
        <p className="font-medium break-words text-bad">{problem.message}</p>
        {problem.hint !== null && <p className="break-words">{problem.hint}</p>}
        <p className="mt-0.5 text-xs text-muted">
          {problem.code}
          {problem.requestId !== null && (
            <>
              {' · request '}
              <code className="font-mono">{problem.requestId}</code>
            </>
          )}
        </p>
      </div>
      {retry !== undefined && (
        <Button onClick={retry} className="self-start">
          Try again
        </Button>
      )}
    </div>
  );
}

/** Lines where text will be, at the height it will have. */
export function Skeleton({ lines = 3, height = 20 }: { lines?: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-2">
      {Array.from({ length: lines }, (_, i) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: lines without identity
          key={i}
          className="skeleton"
          style={{ height, width: `${[92, 78, 85, 64][i % 4]}%` }}
        />
      ))}
    </div>
  );
}

/** The three states of something asked for; data that is there stays there while it is asked for again. */
export function Loaded<Data>({
  query,
  skeleton,
  children,
}: {
  query: UseQueryResult<Data, Error>;
  skeleton?: ReactNode;
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined)
    return (
      <>
        {query.error !== null && query.fetchStatus === 'idle' && (
          <Failure error={query.error} retry={() => void query.refetch()} />
        )}
        {children(query.data)}
      </>
    );
  if (query.error !== null) return <Failure error={query.error} retry={() => void query.refetch()} />;
  return skeleton ?? <Skeleton />;
}
