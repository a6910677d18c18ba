import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { api, call, idempotencyKey } from '../api/client.ts';
import { queries } from '../api/queries.ts';
import type { Cell, Environment } from '../api/types.ts';
import { firstLine } from '../format/names.ts';
import { ActionDialog, type ActionInput } from '../parts/action-dialog.tsx';
import { Failure } from '../parts/states.tsx';
import { Changes } from './changes.tsx';

/** Brings a built release to an environment; its gate and strategy decide how. */
export function PromoteDialog({
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
  const id = useId();
  const [chosen, setChosen] = useState<string | null>(null);
  const [hotfix, setHotfix] = useState(false);
  const releases = useQuery({ ...queries.releases({ service, limit: 200 }), enabled: open });
  const built = (releases.data?.releases ?? []).filter((one) => one.digest !== null);
  const release = built.find((one) => one.id === chosen) ?? built[0];
  const promote = async ({ reason }: ActionInput) => {
    if (release === undefined) throw new Error('there is no built release to promote');
    await call(
      api.POST('/v1/services/{service}/environments/{environment}/promotions', {
        params: { path: { service, environment: environment.name }, header: idempotencyKey() },
        body: {
          release: release.id,
          kind: hotfix ? 'hotfix' : 'planned',
          ...(reason === '' ? {} : { reason }),
        },
      }),
    );
    await client.invalidateQueries({ queryKey: ['lanes', service] });
  };
  return (
    <ActionDialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Promote ${service} to ${environment.name}`}
      consequence={
        release === undefined
          ? 'There is no built release to promote.'
          : `The gate of ${environment.name} is asked about release ${release.number}; if it allows it, a rollout begins by the environment's strategy.`
      }
      undo="The promotion can be cancelled until it rolls; then the rollout can be paused or aborted."
      typeName={null}
      reason="optional"
      confirmLabel="Promote"
      onConfirm={promote}
    >
      {releases.error !== null && <Failure error={releases.error} retry={() => void releases.refetch()} />}
      <div className="flex flex-col gap-1">
        <label htmlFor={id} className="font-medium">
          Release
        </label>
        <select
          id={id}
          value={release?.id ?? ''}
          onChange={(event) => setChosen(event.target.value)}
          className="w-full rounded-md border border-strong bg-bg px-2 py-1.5"
        >
          {built.map((one) => (
            <option key={one.id} value={one.id}>
              #{one.number} {firstLine(one.commit.message).slice(0, 80)}
            </option>
          ))}
        </select>
      </div>
      <label className="inline-flex items-center gap-2">
        <input type="checkbox" checked={hotfix} onChange={(event) => setHotfix(event.target.checked)} />
        Hotfix: goes before planned promotions
      </label>
      {release !== undefined && (
        <Changes service={service} environment={environment.name} to={release.number} />
      )}
    </ActionDialog>
  );
}
