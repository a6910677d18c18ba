import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import { shortDigest } from '../format/names.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Fact, Facts } from '../parts/panel.tsx';
import { ScrollRegion } from '../parts/scroll-region.tsx';
import { Loaded } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { OUTCOMES } from './decisions.tsx';
import { Results } from './results.tsx';

/** One decision: reasons, and the facts as they were. */
export function DecisionDialog({ id, onClose }: { id: string; onClose(): void }) {
  const decision = useQuery(queries.decision(id));
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="Decision of the gate" wide>
      <Loaded query={decision}>
        {(data) => (
          <div className="flex flex-col gap-4">
            <Facts>
              <Fact name="Answer">
                <Badge tone={OUTCOMES[data.outcome].tone}>{OUTCOMES[data.outcome].word}</Badge>
              </Fact>
              <Fact name="About">
                {data.service} → {data.environment},{' '}
                <Link to="/artifacts/$digest" params={{ digest: data.digest }} className="link">
                  <code className="font-mono text-xs">{shortDigest(data.digest)}</code>
                </Link>
              </Fact>
              <Fact name="Decided">
                <Time at={data.atMs} />
              </Fact>
              <Fact name="Policies">
                <code className="font-mono text-xs break-all">{data.policyHash}</code>
              </Fact>
            </Facts>
            <Results results={data.results} />
            <details>
              <summary className="w-fit rounded text-xs text-muted hover:text-text">
                The facts as they were
              </summary>
              <ScrollRegion label="Facts" className="mt-2 max-h-80 rounded-md bg-raised p-3">
                <pre className="font-mono text-xs">{JSON.stringify(data.inputs, null, 2)}</pre>
              </ScrollRegion>
            </details>
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}
