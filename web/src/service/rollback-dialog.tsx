import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, call, idempotencyKey } from '../api/client.ts';
import { queries } from '../api/queries.ts';
import type { Cell, Environment, RollbackTarget } from '../api/types.ts';
import { shortCommit } from '../format/names.ts';
import { ActionDialog, type ActionInput } from '../parts/action-dialog.tsx';
import { Loaded, Skeleton } from '../parts/states.tsx';
import { ToneIcon } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { Changes } from './changes.tsx';

/** Returns to a version that ran here; each is shown safe or unsafe with the reason, unsafe ones want one more yes. */
export function RollbackDialog({
  open,
  onOpenChange,
  cell,
  environment,
}: {
  open: boolean;
  onOpenChange(open: boolean): void;
  cell: Cell;
  environment: Environment;
}) {
  const { service } = cell;
  const client = useQueryClient();
  const [chosen, setChosen] = useState<string | null>(null);
  const [unsafe, setUnsafe] = useState(false);
  const targets = useQuery({ ...queries.rollbackTargets(service, environment.name), enabled: open });
  const all = targets.data?.targets ?? [];
  const target = all.find((one) => one.digest === chosen) ?? all.find((one) => one.safe) ?? all[0];
  const rollBack = async ({ reason, confirm }: ActionInput) => {
    if (target === undefined) throw new Error('there is no version to return to');
    await call(
      api.POST('/v1/services/{service}/environments/{environment}/rollback', {
        params: { path: { service, environment: environment.name }, header: idempotencyKey() },
        body: { to: target.digest, reason, unsafe, ...(confirm === undefined ? {} : { confirm }) },
      }),
    );
    await client.invalidateQueries({ queryKey: ['lanes', service] });
  };
  const current = cell.current?.releaseNumber;
  return (
    <ActionDialog
      open={open}
      onOpenChange={onOpenChange}
      danger
      title={`Roll back ${service} in ${environment.name}`}
      consequence={
        target === undefined
          ? 'No other version has fully taken over here before.'
          : `Release ${target.releaseNumber} takes the place of ${current ? `release ${current}` : 'what runs'}; traffic moves as soon as it has ready instances.`
      }
      undo="Promote the newer release again to undo it."
      typeName={environment.production ? environment.name : null}
      confirmLabel="Roll back"
      onConfirm={rollBack}
    >
      <Loaded query={targets} skeleton={<Skeleton lines={2} height={36} />}>
        {({ targets: list }) =>
          list.length === 0 ? (
            <p className="text-muted">
              There is nothing to return to: the first version here has no predecessor.
            </p>
          ) : (
            <fieldset className="flex flex-col gap-1">
              <legend className="mb-1 font-medium">Return to</legend>
              {list.map((one) => (
                <Target
                  key={one.digest}
                  target={one}
                  checked={one.digest === target?.digest}
                  onChoose={() => setChosen(one.digest)}
                />
              ))}
            </fieldset>
          )
        }
      </Loaded>
      {target !== undefined && !target.safe && (
        <label className="inline-flex items-start gap-2 rounded-md border border-bad/40 bg-bad-soft p-2">
          <input
            type="checkbox"
            className="mt-1"
            checked={unsafe}
            onChange={(event) => setUnsafe(event.target.checked)}
          />
          <span>It is not safe: {target.reason}. Go back all the same.</span>
        </label>
      )}
      {target !== undefined && (
        <Changes service={service} environment={environment.name} to={target.releaseNumber} />
      )}
    </ActionDialog>
  );
}

function Target({
  target,
  checked,
  onChoose,
}: {
  target: RollbackTarget;
  checked: boolean;
  onChoose(): void;
}) {
  return (
    <label
      className={`flex cursor-pointer items-start gap-2 rounded-md border p-2 ${checked ? 'border-accent bg-accent-soft' : 'hover:border-strong'}`}
    >
      <input type="radio" name="target" className="mt-1" checked={checked} onChange={onChoose} />
      <span className="min-w-0">
        <span className="font-medium">#{target.releaseNumber}</span>{' '}
        <code className="font-mono text-xs text-muted">{shortCommit(target.commit)}</code>{' '}
        <span className="text-xs text-muted">
          took over <Time at={target.healthyAt} quiet />
        </span>
        <span className="flex items-center gap-1 text-xs">
          <ToneIcon tone={target.safe ? 'ok' : 'bad'} />
          <span className="font-medium">{target.safe ? 'safe' : 'not safe'}</span>
          <span>: {target.reason}</span>
        </span>
      </span>
    </label>
  );
}
