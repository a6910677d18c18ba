import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { Evidence, LedgerEntry, Rollout } from '../api/types.ts';
import { shortDigest } from '../format/names.ts';
import { EntryList } from '../ledger/entry-list.tsx';
import { useTopics } from '../live/connection.ts';
import { Hash } from '../parts/copy.tsx';
import { External } from '../parts/external.tsx';
import { Page } from '../parts/page.tsx';
import { Fact, Facts, Panel } from '../parts/panel.tsx';
import { Loaded, Skeleton } from '../parts/states.tsx';
import { Badge, TONE_TEXT, ToneIcon } from '../parts/tone.tsx';
import { useSecond } from '../time/now.ts';
import { Time } from '../time/time.tsx';
import { RolloutActions } from './actions.tsx';
import { EvidencePanels } from './evidence.tsx';
import { Instances } from './instances.tsx';
import { Ramp } from './ramp.tsx';
import { headline, PHASES, phaseTone, versionName } from './words.ts';

const route = getRouteApi('/rollouts/$rollout');

export function RolloutPage() {
  const { rollout: id } = route.useParams();
  const rollout = useQuery(queries.rollout(id));
  useTopics(`rollout:${id}`);
  return rollout.data === undefined ? (
    <Page title="Rollout" windowTitle="Rollout">
      <Loaded query={rollout} skeleton={<Skeleton lines={8} height={48} />}>
        {() => null}
      </Loaded>
    </Page>
  ) : (
    <View rollout={rollout.data} />
  );
}

function View({ rollout }: { rollout: Rollout }) {
  const { service, environment } = rollout;
  const evidence = useQuery(queries.evidence(rollout.id));
  const entries = useQuery(queries.entries({ subject: rollout.id, limit: 500 }));
  const lanes = useQuery({ ...queries.lanes(service), refetchInterval: false });
  const production = lanes.data?.environments.find((one) => one.name === environment)?.production ?? true;
  const known: readonly LedgerEntry[] = entries.data?.entries ?? [];
  const name = versionName(rollout.releaseNumber, rollout.digest);
  return (
    <Page
      wide
      windowTitle={`${service} → ${environment}`}
      above={
        <>
          <Link to="/rollouts" className="hover:underline">
            Rollouts
          </Link>
          <span aria-hidden>/</span>
          <Link to="/services/$service" params={{ service }} className="hover:underline">
            {service}
          </Link>
          <span aria-hidden>/</span>
          <span>{environment}</span>
        </>
      }
      title={
        <>
          {service} → {environment}: {name}
          <Badge tone={phaseTone(rollout.phase)}>
            {rollout.paused ? 'paused' : (PHASES[rollout.phase] ?? rollout.phase)}
          </Badge>
        </>
      }
      actions={<RolloutActions rollout={rollout} production={production} />}
    >
      <HeadlineBox rollout={rollout} evidence={evidence.data ?? null} />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_21rem]">
        <div className="contents min-w-0 flex-col gap-4 lg:flex">
          <Loaded query={evidence} skeleton={<Skeleton lines={6} height={72} />}>
            {(data) => <EvidencePanels evidence={data} ended={rollout.endedAt !== null} />}
          </Loaded>
          <Panel title="Timeline" aside={<span>from the ledger, newest first</span>} flush>
            <Loaded
              query={entries}
              skeleton={
                <div className="p-4">
                  <Skeleton lines={5} />
                </div>
              }
            >
              {(data) => <EntryList entries={[...data.entries].reverse()} />}
            </Loaded>
          </Panel>
        </div>
        <div className="contents min-w-0 flex-col gap-4 lg:flex">
          <div className="max-lg:-order-1">
            <Ramp rollout={rollout} entries={known} />
          </div>
          <RolloutFacts rollout={rollout} />
          <Instances rollout={rollout} entries={known} />
        </div>
      </div>
    </Page>
  );
}

/** The verdict in words, before any picture. */
function HeadlineBox({ rollout, evidence }: { rollout: Rollout; evidence: Evidence | null }) {
  const { tone, title, detail } = headline(rollout, evidence, useSecond());
  const others = rollout.reasons.slice(1);
  return (
    <section
      aria-label="Verdict"
      className="flex gap-3 rounded-lg border border-l-4 bg-panel px-4 py-3"
      style={{
        borderLeftColor: `var(--${{ ok: 'ok', bad: 'bad', wait: 'wait', move: 'accent', none: 'strong' }[tone]})`,
      }}
    >
      <ToneIcon tone={tone} className={`mt-1 size-5 ${TONE_TEXT[tone]}`} />
      <div className="min-w-0">
        <p className="text-lg font-semibold tracking-tight" aria-live="polite">
          {title}
        </p>
        {detail !== '' && <p className="max-w-[80ch] break-words">{detail}</p>}
        {others.map((reason) => (
          <p key={reason} className="max-w-[80ch] text-xs break-words text-muted">
            {reason}
          </p>
        ))}
      </div>
    </section>
  );
}

function RolloutFacts({ rollout }: { rollout: Rollout }) {
  const { digest, previousDigest } = rollout;
  return (
    <Panel title="Facts">
      <Facts>
        <Fact name="New">
          <Version number={rollout.releaseNumber} digest={digest} />
        </Fact>
        <Fact name="Old">
          {previousDigest === null ? (
            'nothing ran here'
          ) : (
            <Version number={rollout.previousReleaseNumber} digest={previousDigest} />
          )}
        </Fact>
        {rollout.commit !== null && (
          <Fact name="Commit">
            <Hash value={rollout.commit} short={rollout.commit.slice(0, 10)} what="commit" />
          </Fact>
        )}
        <Fact name="Kind">{rollout.kind}</Fact>
        <Fact name="Started">
          <Time at={rollout.createdAt} />
        </Fact>
        {rollout.exposedAt !== null && (
          <Fact name="First traffic">
            <Time at={rollout.exposedAt} />
          </Fact>
        )}
        {rollout.turnedBack !== null && (
          <Fact name="Turned back">
            <Time at={rollout.turnedBack.at} /> by {rollout.turnedBack.by}
          </Fact>
        )}
        {rollout.zeroTrafficAt !== null && (
          <Fact name="At 0 %">
            <Time at={rollout.zeroTrafficAt} />
          </Fact>
        )}
        {rollout.endedAt !== null && (
          <Fact name="Ended">
            <Time at={rollout.endedAt} />
          </Fact>
        )}
        {rollout.listenPort !== null && (
          <Fact name="Address">
            <External url={`http://${location.hostname}:${rollout.listenPort}/`} />
          </Fact>
        )}
        <Fact name="Why">
          <Link to="/why" search={{ subject: rollout.id }} className="link">
            the chain to the commit
          </Link>
        </Fact>
      </Facts>
    </Panel>
  );
}

function Version({ number, digest }: { number: number | null; digest: string }) {
  return (
    <span className="flex flex-wrap items-center gap-x-2">
      {number !== null && <span className="font-medium">#{number}</span>}
      <Link to="/artifacts/$digest" params={{ digest }} className="link" title={digest}>
        <code className="font-mono text-xs">{shortDigest(digest)}</code>
      </Link>
    </span>
  );
}
