import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { queries } from '../api/queries.ts';
import type { Why } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { Button } from '../parts/button.tsx';
import { FilterInput } from '../parts/field.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Loaded, Skeleton } from '../parts/states.tsx';
import { Time } from '../time/time.tsx';

const route = getRouteApi('/why');

export function WhyPage() {
  const { subject } = route.useSearch();
  const navigate = route.useNavigate();
  const [typed, setTyped] = useState(subject ?? '');
  useEffect(() => setTyped(subject ?? ''), [subject]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void navigate({ search: (old) => ({ ...old, subject: typed.trim() === '' ? undefined : typed.trim() }) });
  };
  return (
    <Page
      title="Why does this run?"
      windowTitle="Why"
      actions={
        <form onSubmit={submit} className="flex max-w-full gap-2">
          <FilterInput
            label="service/environment, digest, id or address"
            value={typed}
            maxLength={300}
            className="!w-80 max-w-full min-w-0"
            onChange={(event) => setTyped(event.target.value)}
          />
          <Button type="submit">Explain</Button>
        </form>
      }
    >
      {subject === undefined ? (
        <div className="rounded-lg border bg-panel">
          <Empty title="From running bytes back to the commit" command="slipway why <service>/<environment>">
            Name a lane (shop/prod), a digest, a rollout, a promotion, or the address a service answers at:
            every decision on the way is shown with who made it and where the ledger has it.
          </Empty>
        </div>
      ) : (
        <Answer subject={subject} />
      )}
    </Page>
  );
}

function Answer({ subject }: { subject: string }) {
  const why = useQuery(queries.why(subject));
  return (
    <Loaded query={why} skeleton={<Skeleton lines={8} height={36} />}>
      {(data) => <Chain why={data} />}
    </Loaded>
  );
}

function Chain({ why }: { why: Why }) {
  return (
    <section aria-label="Chain" className="rounded-lg border bg-panel p-4">
      <p className="mb-4">
        <Link to="/services/$service" params={{ service: why.service }} className="font-semibold link">
          {why.service}
        </Link>
        {why.environment !== null && ` in ${why.environment}`}:{' '}
        <Link to="/artifacts/$digest" params={{ digest: why.digest }} className="link">
          <code className="font-mono text-xs">{shortDigest(why.digest)}</code>
        </Link>{' '}
        <span className="text-muted">
          {why.runningIn.length === 0 ? 'runs nowhere now' : `runs in ${why.runningIn.join(', ')}`}
        </span>
      </p>
      <ol className="flex flex-col">
        {why.chain.map((link) => (
          <li
            key={`${link.kind} ${link.id}`}
            className="grid grid-cols-[6.5rem_auto_minmax(0,1fr)] gap-x-3 max-sm:grid-cols-[4.5rem_auto_minmax(0,1fr)]"
          >
            <span className="pt-0.5 text-right text-xs font-medium text-muted">{link.kind}</span>
            <span aria-hidden className="flex w-3 flex-col items-center">
              <span className="mt-1.5 size-2.5 shrink-0 rounded-full border-2 border-accent bg-panel" />
              <span className="w-px flex-1 bg-strong" />
            </span>
            <div className="min-w-0 pb-4">
              <p className="flex flex-wrap items-baseline gap-x-3">
                <LinkOf link={link} />
                <Time at={link.at} className="text-xs text-muted" />
                {link.actor !== null && <span className="text-xs break-all text-muted">{link.actor}</span>}
              </p>
              {link.reasons.length > 0 && (
                <ul className="text-xs text-muted">
                  {link.reasons.map((reason) => (
                    <li key={reason} className="break-words">
                      {reason}
                    </li>
                  ))}
                </ul>
              )}
              {link.entries.length > 0 && (
                <p className="flex flex-wrap items-center gap-x-1 text-xs">
                  <span className="text-muted">ledger</span>
                  {link.entries.slice(0, 12).map((index) => (
                    <Link
                      key={index}
                      to="/ledger/$index"
                      params={{ index: String(index) }}
                      preload={false}
                      className="link inline-flex h-6 min-w-6 items-center justify-center"
                    >
                      {index}
                    </Link>
                  ))}
                  {link.entries.length > 12 && (
                    <span className="text-muted">and {link.entries.length - 12} more</span>
                  )}
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

function LinkOf({ link: { kind, id, title } }: { link: Why['chain'][number] }) {
  const style = 'font-medium break-words text-text hover:underline';
  if (kind === 'rollout')
    return (
      <Link to="/rollouts/$rollout" params={{ rollout: id }} className={style}>
        {title}
      </Link>
    );
  if (kind === 'build')
    return (
      <Link to="/builds/$build" params={{ build: id }} className={style}>
        {title}
      </Link>
    );
  if (kind === 'release')
    return (
      <Link to="/releases/$release" params={{ release: id }} className={style}>
        {title}
      </Link>
    );
  if (kind === 'artifact')
    return (
      <Link to="/artifacts/$digest" params={{ digest: id }} className={style}>
        {title}
      </Link>
    );
  if (kind === 'decision')
    return (
      <Link to="/policies" search={{ decision: id }} className={style}>
        {title}
      </Link>
    );
  return <span className="font-medium break-words">{title}</span>;
}
