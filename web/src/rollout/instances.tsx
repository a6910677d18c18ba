import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, call } from '../api/client.ts';
import type { LedgerEntry, Rollout } from '../api/types.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Panel } from '../parts/panel.tsx';
import { Loaded } from '../parts/states.tsx';
import { instancesOf } from './history.ts';

const TAIL = 400;

/** Instances the rollout touched, as the ledger has them; each with the last lines it wrote. */
export function Instances({ rollout, entries }: { rollout: Rollout; entries: readonly LedgerEntry[] }) {
  const [open, setOpen] = useState<string | null>(null);
  const instances = instancesOf(entries);
  return (
    <Panel title="Instances" aside={<span>{rollout.instances} when nothing moves</span>} flush>
      {instances.length === 0 ? (
        <p className="p-4 text-muted">None was asked for yet.</p>
      ) : (
        <table className="w-full text-sm">
          <caption className="sr-only">Instances of this rollout</caption>
          <thead className="sr-only">
            <tr>
              <th scope="col">Instance</th>
              <th scope="col">Group</th>
              <th scope="col">State</th>
              <th scope="col">Logs</th>
            </tr>
          </thead>
          <tbody>
            {instances.map(({ id, group, state }) => (
              <tr key={id} className="border-b last:border-0">
                <td className="py-1 pl-4">
                  <code className="font-mono text-xs">{id}</code>
                </td>
                <td className="px-2 py-1 text-xs">{group}</td>
                <td className={`px-2 py-1 text-xs ${state === 'serving' ? '' : 'text-muted'}`}>{state}</td>
                <td className="py-1 pr-3 text-right">
                  <button
                    type="button"
                    onClick={() => setOpen(id)}
                    className="link h-6 min-w-6 rounded px-1 text-xs"
                    aria-label={`Logs of ${id}`}
                  >
                    logs
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Dialog
        open={open !== null}
        onOpenChange={() => setOpen(null)}
        title={`Last lines of ${open ?? ''}`}
        wide
      >
        {open !== null && <InstanceLog rollout={rollout} instance={open} />}
      </Dialog>
    </Panel>
  );
}

function InstanceLog({ rollout, instance }: { rollout: Rollout; instance: string }) {
  const { service, environment } = rollout;
  const log = useQuery({
    queryKey: ['instance-logs', service, environment, instance],
    queryFn: () =>
      call(
        api.GET('/v1/services/{service}/environments/{environment}/instances/{instance}/logs', {
          params: { path: { service, environment, instance }, query: { tail: TAIL } },
        }),
      ),
    refetchInterval: 3_000,
  });
  return (
    <Loaded query={log}>
      {({ text }) =>
        text === '' ? (
          <p className="text-muted">It wrote nothing.</p>
        ) : (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
          <pre tabIndex={0} className="max-h-[50vh] overflow-auto rounded-md bg-raised p-3 font-mono text-xs">
            {text}
          </pre>
        )
      }
    </Loaded>
  );
}
