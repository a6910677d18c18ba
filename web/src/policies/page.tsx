import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { Policy } from '../api/types.ts';
import { plural } from '../format/names.ts';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { ScrollRegion } from '../parts/scroll-region.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { ToneIcon } from '../parts/tone.tsx';
import { DecisionDialog } from './decision-dialog.tsx';
import { Decisions } from './decisions.tsx';

const route = getRouteApi('/policies');

export function PoliciesPage() {
  const { decision } = route.useSearch();
  const navigate = route.useNavigate();
  const policies = useQuery(queries.policies());
  return (
    <Page title="Policies and decisions" windowTitle="Policies">
      <Panel title="In force" flush aside={<span>from the platform folder; changed by commit</span>}>
        <Loaded query={policies}>
          {({ policies: all, problems }) => (
            <>
              {problems.length > 0 && (
                <ul className="border-b px-4 py-2 text-bad">
                  {problems.map((problem) => (
                    <li key={`${problem.path} ${problem.message}`} className="flex gap-2">
                      <ToneIcon tone="bad" className="mt-0.5 text-bad" />
                      {problem.path}: {problem.message}
                    </li>
                  ))}
                </ul>
              )}
              {all.length === 0 ? (
                <Empty title="No policy gates anything" command="slipway platform apply <folder>">
                  Without policies every change passes. They are CEL over signed evidence, in the platform
                  folder.
                </Empty>
              ) : (
                <ul className="divide-y">
                  {all.map((policy) => (
                    <PolicyLine key={policy.name} policy={policy} />
                  ))}
                </ul>
              )}
            </>
          )}
        </Loaded>
      </Panel>
      <Decisions />
      {decision !== undefined && (
        <DecisionDialog
          id={decision}
          onClose={() => void navigate({ search: (old) => ({ ...old, decision: undefined }) })}
        />
      )}
    </Page>
  );
}

function PolicyLine({ policy }: { policy: Policy }) {
  return (
    <li>
      <details className="px-4 py-2">
        <summary className="rounded">
          <span className="font-medium">{policy.name}</span>
          <span className="ml-2 text-xs text-muted">
            {policy.severity === 'block' ? 'blocks' : 'warns'} ·{' '}
            {policy.environments.length === 0 ? 'gates nothing' : policy.environments.join(', ')} ·{' '}
            {plural(policy.tests?.length ?? 0, 'test')}
          </span>
          <span className="block pl-4 text-muted">{policy.description}</span>
        </summary>
        <div className="mt-2 flex flex-col gap-2 pl-4">
          <ScrollRegion label={`Expression of ${policy.name}`} className="rounded-md bg-raised p-3">
            <pre className="font-mono text-xs whitespace-pre-wrap">{policy.allow}</pre>
          </ScrollRegion>
          <p>
            <span className="text-muted">When it does not hold: </span>
            {policy.message}
          </p>
        </div>
      </details>
    </li>
  );
}
