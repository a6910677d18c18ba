import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { Release } from '../api/types.ts';
import { firstLine, shortCommit, shortDigest } from '../format/names.ts';
import { Hash } from '../parts/copy.tsx';
import { Page } from '../parts/page.tsx';
import { Fact, Facts, Panel } from '../parts/panel.tsx';
import { Empty, Loaded, Skeleton } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import type { Tone } from '../rollout/words.ts';
import { RELEASE_TONES } from '../service/releases.tsx';
import { Time } from '../time/time.tsx';

const route = getRouteApi('/releases/$release');

export function ReleasePage() {
  const { release: id } = route.useParams();
  const release = useQuery(queries.release(id));
  return release.data === undefined ? (
    <Page title="Release" windowTitle="Release">
      <Loaded query={release} skeleton={<Skeleton lines={8} height={32} />}>
        {() => null}
      </Loaded>
    </Page>
  ) : (
    <View release={release.data} />
  );
}

const SIGNATURES: Readonly<Record<string, string>> = {
  none: 'not signed',
  good: 'signed by a known key',
  bad: 'signature does not fit',
  'unknown-key': 'signed by a key that is not known',
};

function View({ release }: { release: Release }) {
  const { commit, service } = release;
  return (
    <Page
      windowTitle={`${service} #${release.number}`}
      above={
        <>
          <Link to="/" className="hover:underline">
            Matrix
          </Link>
          <span aria-hidden>/</span>
          <Link to="/services/$service" params={{ service }} className="hover:underline">
            {service}
          </Link>
        </>
      }
      title={
        <>
          {service} release {release.number}
          <Badge tone={RELEASE_TONES[release.status] ?? 'none'}>{release.status}</Badge>
        </>
      }
    >
      {release.problem !== null && (
        <p
          role="alert"
          className="rounded-md border border-bad/40 bg-bad-soft px-3 py-2 break-words text-bad"
        >
          {release.problem}
        </p>
      )}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Panel title="Commit">
          <p className="font-medium break-words">{firstLine(commit.message)}</p>
          <Message text={commit.message} />
          <div className="mt-3">
            <Facts>
              <Fact name="Commit">
                <Hash value={commit.sha} short={shortCommit(commit.sha)} what="commit" />
              </Fact>
              <Fact name="Author">
                {commit.author} <span className="text-muted">&lt;{commit.authorEmail}&gt;</span>
              </Fact>
              <Fact name="Committed">
                <Time at={commit.committedAt} />
              </Fact>
              <Fact name="Signature">{SIGNATURES[commit.signature] ?? commit.signature}</Fact>
              <Fact name="Ref">{commit.ref}</Fact>
            </Facts>
          </div>
        </Panel>
        <Panel title="What came of it">
          <Facts>
            <Fact name="Created">
              <Time at={release.createdAt} /> by {release.createdBy}
            </Fact>
            <Fact name="Build">
              {release.buildId === null ? (
                'none yet'
              ) : (
                <Link to="/builds/$build" params={{ build: release.buildId }} className="link">
                  steps and logs
                </Link>
              )}
            </Fact>
            <Fact name="Artifact">
              {release.digest === null ? (
                'none yet'
              ) : (
                <Link
                  to="/artifacts/$digest"
                  params={{ digest: release.digest }}
                  className="link"
                  title={release.digest}
                >
                  <code className="font-mono text-xs">{shortDigest(release.digest)}</code> with its evidence
                </Link>
              )}
            </Fact>
            <Fact name="Configuration">
              {release.configDigest === null ? (
                'not read'
              ) : (
                <Hash
                  value={release.configDigest}
                  short={shortDigest(release.configDigest)}
                  what="configuration digest"
                />
              )}
            </Fact>
            {release.finishedAt !== null && (
              <Fact name="Finished">
                <Time at={release.finishedAt} />
              </Fact>
            )}
          </Facts>
        </Panel>
      </div>
      <Panel title="Where it went" flush>
        <Promotions release={release} />
      </Panel>
    </Page>
  );
}

function Message({ text }: { text: string }) {
  const rest = text.split('\n').slice(1).join('\n').trim();
  return rest === '' ? null : <p className="mt-1 break-words whitespace-pre-wrap text-muted">{rest}</p>;
}

export const PROMOTION_TONES: Readonly<Record<string, Tone>> = {
  succeeded: 'ok',
  rolling: 'move',
  gating: 'move',
  waiting: 'none',
  'awaiting-approval': 'wait',
  denied: 'bad',
  rejected: 'bad',
  'rolled-back': 'bad',
  failed: 'bad',
  expired: 'bad',
};

function Promotions({ release }: { release: Release }) {
  if (release.promotions.length === 0)
    return (
      <Empty
        title="It has gone nowhere yet"
        command={`slipway promote ${release.service} <environment> --release ${release.number}`}
      />
    );
  return (
    <ol className="divide-y">
      {release.promotions.map((promotion) => {
        const line = (
          <>
            <span className="font-medium">{promotion.environment}</span>
            <span>
              <Badge tone={PROMOTION_TONES[promotion.status] ?? 'none'}>
                {promotion.status.replace('-', ' ')}
              </Badge>
            </span>
            <span className="min-w-0 text-xs break-words text-muted">{promotion.reason}</span>
            <Time at={promotion.endedAt ?? promotion.createdAt} quiet className="text-xs text-muted" />
          </>
        );
        const style =
          'grid grid-cols-[7rem_9rem_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-2 max-sm:grid-cols-2';
        return (
          <li key={promotion.id}>
            {promotion.rolloutId === null ? (
              <div className={style}>{line}</div>
            ) : (
              <Link
                to="/rollouts/$rollout"
                params={{ rollout: promotion.rolloutId }}
                className={`${style} hover:bg-raised focus-visible:-outline-offset-2`}
              >
                {line}
              </Link>
            )}
          </li>
        );
      })}
    </ol>
  );
}
