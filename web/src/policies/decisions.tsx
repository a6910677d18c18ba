import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { Decision } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { FilterInput } from '../parts/field.tsx';
import { Panel } from '../parts/panel.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import type { Tone } from '../rollout/words.ts';
import { Time } from '../time/time.tsx';

const route = getRouteApi('/policies');

export const OUTCOMES: Readonly<Record<Decision['outcome'], { word: string; tone: Tone }>> = {
  allow: { word: 'allowed', tone: 'ok' },
  warn: { word: 'warned', tone: 'wait' },
  deny: { word: 'denied', tone: 'bad' },
};

export function Decisions() {
  const { service, environment } = route.useSearch();
  const navigate = route.useNavigate();
  const decisions = useQuery(queries.decisions({ service, environment, limit: 50 }));
  const set = (key: 'service' | 'environment', value: string) =>
    void navigate({
      search: (old) => ({ ...old, [key]: value.trim() === '' ? undefined : value.trim() }),
      replace: true,
    });
  return (
    <Panel
      title="Decisions"
      flush
      aside={
        <>
          <FilterInput
            label="Service"
            value={service ?? ''}
            maxLength={63}
            className="!w-32"
            onChange={(event) => set('service', event.target.value)}
          />
          <FilterInput
            label="Environment"
            value={environment ?? ''}
            maxLength={63}
            className="!w-32"
            data-filter={undefined}
            onChange={(event) => set('environment', event.target.value)}
          />
        </>
      }
    >
      <Loaded query={decisions}>
        {({ decisions: all }) =>
          all.length === 0 ? (
            <Empty
              title="No decision yet"
              command="slipway promote <service> <environment> --release <number>"
            >
              The gate is asked before anything enters an environment; each answer stays here with its
              reasons.
            </Empty>
          ) : (
            <ol className="divide-y">
              {all.map((decision) => (
                <li key={decision.id}>
                  <DecisionLine decision={decision} />
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Panel>
  );
}

function DecisionLine({ decision }: { decision: Decision }) {
  const { word, tone } = OUTCOMES[decision.outcome];
  const against = decision.results.filter((result) => result.outcome !== 'allow');
  return (
    <Link
      to="/policies"
      search={(old) => ({ ...old, decision: decision.id })}
      className="grid grid-cols-[6.5rem_minmax(0,14rem)_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-1.5 hover:bg-raised focus-visible:-outline-offset-2 max-md:grid-cols-[6.5rem_1fr_auto]"
    >
      <span>
        <Badge tone={tone}>{word}</Badge>
      </span>
      <span className="truncate">
        {decision.service} → {decision.environment}{' '}
        <code className="font-mono text-xs text-muted">{shortDigest(decision.digest).slice(0, 8)}</code>
      </span>
      <span className="truncate text-xs text-muted max-md:hidden">
        {against.length === 0
          ? `all ${decision.results.length} policies hold`
          : against.map((result) => `${result.policy}: ${result.reason}`).join('; ')}
      </span>
      <Time at={decision.atMs} quiet className="text-xs text-muted" />
    </Link>
  );
}
