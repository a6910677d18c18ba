import type { Artifact, Decision } from '../api/types.ts';
import { Empty } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import { OUTCOMES } from '../policies/decisions.tsx';
import { Results } from '../policies/results.tsx';
import { Time } from '../time/time.tsx';

/** What the gates said of this artifact, policy by policy. */
export function DecisionList({ artifact }: { artifact: Artifact }) {
  if (artifact.decisions.length === 0)
    return (
      <Empty
        title="No gate was asked yet"
        command={`slipway promote ${artifact.service} <environment> --release <number>`}
      />
    );
  return (
    <ol className="divide-y">
      {artifact.decisions.map((decision) => {
        const { word, tone } = OUTCOMES[decision.outcome as Decision['outcome']] ?? OUTCOMES.deny;
        return (
          <li key={decision.id}>
            <details className="px-4 py-2">
              <summary className="rounded">
                <span className="inline-flex items-center gap-3 align-middle">
                  <span className="font-medium">{decision.environment}</span>
                  <Badge tone={tone}>{word}</Badge>
                  <Time at={decision.at} quiet className="text-xs text-muted" />
                </span>
              </summary>
              <div className="mt-2 pl-4">
                <Results results={decision.results as Decision['results']} />
              </div>
            </details>
          </li>
        );
      })}
    </ol>
  );
}
