import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { InclusionProof, LedgerEntry } from '../api/types.ts';
import { Copy } from '../parts/copy.tsx';
import { Page } from '../parts/page.tsx';
import { Fact, Facts, Panel } from '../parts/panel.tsx';
import { ScrollRegion } from '../parts/scroll-region.tsx';
import { Failure, Loaded, Skeleton } from '../parts/states.tsx';
import { Badge, ToneIcon } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { checkEntry } from './check.ts';
import { entryWords } from './words.ts';

const route = getRouteApi('/ledger/$index');

export function EntryPage() {
  const { index } = route.useParams();
  const n = Number(index);
  const valid = Number.isSafeInteger(n) && n >= 0;
  const entry = useQuery({ ...queries.entry(n), enabled: valid });
  return (
    <Page
      title={`Entry ${index}`}
      windowTitle={`Ledger entry ${index}`}
      above={
        <Link to="/ledger" className="hover:underline">
          Ledger
        </Link>
      }
    >
      {valid ? (
        <Loaded query={entry} skeleton={<Skeleton lines={6} />}>
          {(data) => <View entry={data} />}
        </Loaded>
      ) : (
        <Failure error={new Error('an entry is known by its number')} />
      )}
    </Page>
  );
}

function View({ entry }: { entry: LedgerEntry }) {
  const { title, detail, tone } = entryWords(entry);
  const proof = useQuery(queries.proof(entry.index));
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Panel title="What it says">
        <p className="mb-3 flex items-start gap-2">
          <span className="mt-0.5">
            <ToneIcon tone={tone} />
          </span>
          <span>
            <span className="font-medium">{title}</span>
            {detail !== '' && <span className="block text-muted">{detail}</span>}
          </span>
        </p>
        <Facts>
          <Fact name="Kind">{entry.kind}</Fact>
          <Fact name="Actor">{entry.actor}</Fact>
          <Fact name="Time">
            <Time at={entry.at} />
          </Fact>
          {entry.service !== null && (
            <Fact name="Lane">
              <Link to="/services/$service" params={{ service: entry.service }} className="link">
                {entry.service}
              </Link>
              {entry.environment !== null && ` in ${entry.environment}`}
            </Fact>
          )}
          <Fact name="Subject">
            <SubjectLink entry={entry} />
          </Fact>
        </Facts>
      </Panel>
      <Panel title="Proof" aside={<span>checked in this browser</span>}>
        <Loaded query={proof}>{(data) => <Checks entry={entry} proof={data} />}</Loaded>
      </Panel>
      <Panel title="Body" aside={<span>as it is hashed</span>} className="lg:col-span-2">
        <ScrollRegion label="Body of the entry" className="max-h-[28rem] rounded-md bg-raised p-3">
          <pre className="font-mono text-xs">{JSON.stringify(entry.body, null, 2)}</pre>
        </ScrollRegion>
      </Panel>
    </div>
  );
}

function Checks({ entry, proof }: { entry: LedgerEntry; proof: InclusionProof }) {
  const keys = useQuery(queries.keys());
  const checks = useQuery({
    queryKey: ['check', proof.index, proof.size, proof.root, keys.data?.logId],
    queryFn: () => checkEntry(proof, entry.leafHash, keys.data?.keys ?? []),
    enabled: keys.data !== undefined,
  });
  if (keys.error !== null) return <Failure error={keys.error} retry={() => void keys.refetch()} />;
  return (
    <Loaded query={checks}>
      {(all) => {
        const failed = all.some((check) => check.ok === false);
        const open = all.some((check) => check.ok === null);
        return (
          <>
            <p className="mb-3">
              <Badge tone={failed ? 'bad' : open ? 'wait' : 'ok'}>
                {failed ? 'not proven' : open ? 'checked in part' : 'proven'}
              </Badge>
            </p>
            <ul className="flex flex-col gap-2">
              {all.map(({ name, ok, detail }) => (
                <li key={name} className="flex gap-2">
                  <span className="mt-0.5">
                    <ToneIcon tone={ok === null ? 'wait' : ok ? 'ok' : 'bad'} />
                  </span>
                  <span className="min-w-0">
                    {name}
                    <span className="sr-only">: {ok === null ? 'not checked' : ok ? 'yes' : 'no'}</span>
                    <code className="block font-mono text-2xs break-all text-muted">{detail}</code>
                  </span>
                </li>
              ))}
            </ul>
            <details className="mt-3">
              <summary className="w-fit rounded text-xs text-muted hover:text-text">
                The signed checkpoint
              </summary>
              <div className="mt-1 flex items-start gap-1 rounded-md bg-raised p-2">
                <pre className="min-w-0 flex-1 font-mono text-2xs break-all whitespace-pre-wrap">
                  {proof.checkpoint}
                </pre>
                <Copy text={proof.checkpoint} label="Copy the checkpoint" />
              </div>
            </details>
            <p className="mt-3 text-xs text-muted">
              The ledger key came from this server. To trust nobody, compare the checkpoint with one you kept:
              slipway ledger verify --since.
            </p>
          </>
        );
      }}
    </Loaded>
  );
}

/** Their subject is an artifact's digest; a signature's is a digest too, but of what was signed. */
const ABOUT_ARTIFACTS: ReadonlySet<string> = new Set([
  'artifact.registered',
  'evidence.attached',
  'gate.decided',
]);

/** An id or digest leads to the page of what it names. */
function SubjectLink({ entry: { kind, subject } }: { entry: LedgerEntry }) {
  const code = <code className="font-mono text-xs break-all">{subject}</code>;
  const style = 'link';
  if (subject.startsWith('rol_'))
    return (
      <Link to="/rollouts/$rollout" params={{ rollout: subject }} className={style}>
        {code}
      </Link>
    );
  if (subject.startsWith('rel_'))
    return (
      <Link to="/releases/$release" params={{ release: subject }} className={style}>
        {code}
      </Link>
    );
  if (subject.startsWith('bld_'))
    return (
      <Link to="/builds/$build" params={{ build: subject }} className={style}>
        {code}
      </Link>
    );
  if (subject.startsWith('pro_'))
    return (
      <Link to="/why" search={{ subject }} className={style}>
        {code}
      </Link>
    );
  if (ABOUT_ARTIFACTS.has(kind))
    return (
      <Link to="/artifacts/$digest" params={{ digest: subject }} className={style}>
        {code}
      </Link>
    );
  return code;
}
