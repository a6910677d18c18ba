import { Link } from '@tanstack/react-router';
import type { Artifact, ArtifactEvidence } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { predicateName } from '../ledger/words.ts';
import { ScrollRegion } from '../parts/scroll-region.tsx';
import { Empty } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';

/** Every referrer with its signature judged now: by which key, and where the ledger has it. */
export function EvidenceList({ artifact }: { artifact: Artifact }) {
  if (artifact.evidence.length === 0)
    return (
      <Empty
        title="Nothing is attached to this artifact"
        command={`slipway release ${artifact.service} <commit>`}
      >
        A build signs its SBOM, provenance and test results; an image pushed from outside has none until
        somebody attaches it.
      </Empty>
    );
  const sorted = [...artifact.evidence].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  return (
    <ul className="divide-y">
      {sorted.map((item) => (
        <li key={item.referrer}>
          <Item item={item} />
        </li>
      ))}
    </ul>
  );
}

const ORDER = ['provenance', 'sbom', 'test', 'scan', 'signature', 'decision', 'other'];

function Item({ item }: { item: ArtifactEvidence }) {
  return (
    <details className="px-4 py-2">
      <summary className="rounded">
        <span className="inline-flex max-w-full flex-wrap items-center gap-x-3 align-middle">
          <span className="font-medium">{title(item)}</span>
          <Badge tone={item.verified ? 'ok' : 'bad'}>{item.verified ? 'verified now' : 'not verified'}</Badge>
          <span className="text-xs text-muted">
            {item.key === null ? 'no known key' : `key ${item.key}`}
            {' · '}referrer <code className="font-mono">{shortDigest(item.referrer)}</code>
          </span>
        </span>
        {item.problem !== null && <span className="block pl-4 break-words text-bad">{item.problem}</span>}
      </summary>
      <div className="mt-2 flex flex-col gap-2 pl-4">
        <p className="text-xs text-muted">
          <span className="break-all">{item.predicateType}</span>
          {item.ledgerIndex !== null && (
            <>
              {' · '}
              <Link to="/ledger/$index" params={{ index: String(item.ledgerIndex) }} className="link">
                ledger entry {item.ledgerIndex}
              </Link>
            </>
          )}
        </p>
        {item.predicate !== null && (
          <ScrollRegion label={`Predicate of ${title(item)}`} className="max-h-96 rounded-md bg-raised p-3">
            <pre className="font-mono text-xs">{JSON.stringify(item.predicate, null, 2)}</pre>
          </ScrollRegion>
        )}
      </div>
    </details>
  );
}

function title(item: ArtifactEvidence): string {
  const name = predicateName(item.predicateType);
  const capital = name.charAt(0).toUpperCase() + name.slice(1);
  const decision = item.predicate?.decision as { environment?: unknown; outcome?: unknown } | undefined;
  if (item.kind !== 'decision' || typeof decision?.environment !== 'string') return capital;
  return `${capital}, ${decision.environment}`;
}
