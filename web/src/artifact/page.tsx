import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { queries } from '../api/queries.ts';
import type { Artifact } from '../api/types.ts';
import { shortCommit, shortDigest } from '../format/names.ts';
import { bytes } from '../format/numbers.ts';
import { Copy, Hash } from '../parts/copy.tsx';
import { Page } from '../parts/page.tsx';
import { Fact, Facts, Panel } from '../parts/panel.tsx';
import { Loaded, Skeleton } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { Components } from './components.tsx';
import { DecisionList } from './decision-list.tsx';
import { EvidenceList } from './evidence-list.tsx';
import { componentsOf, provenanceOf, testsOf } from './predicate.ts';

const route = getRouteApi('/artifacts/$digest');

export function ArtifactPage() {
  const { digest } = route.useParams();
  const artifact = useQuery(queries.artifact(digest));
  return (
    <Page
      windowTitle={`Artifact ${shortDigest(digest)}`}
      above={
        artifact.data && (
          <Link
            to="/services/$service"
            params={{ service: artifact.data.service }}
            className="hover:underline"
          >
            {artifact.data.service}
          </Link>
        )
      }
      title={
        <>
          Artifact <code className="font-mono text-base">{shortDigest(digest)}</code>
          {artifact.data && <Verified artifact={artifact.data} />}
        </>
      }
    >
      <Loaded query={artifact} skeleton={<Skeleton lines={8} height={32} />}>
        {(data) => <View artifact={data} />}
      </Loaded>
    </Page>
  );
}

function Verified({ artifact }: { artifact: Artifact }) {
  const bad = artifact.evidence.filter((item) => !item.verified).length;
  if (artifact.evidence.length === 0) return <Badge tone="bad">no evidence</Badge>;
  if (bad > 0) return <Badge tone="bad">{bad} not verified</Badge>;
  return <Badge tone="ok">all evidence verified now</Badge>;
}

function View({ artifact }: { artifact: Artifact }) {
  const { tab = 'evidence' } = route.useSearch();
  const components = componentsOf(artifact.evidence);
  const hasSbom = artifact.evidence.some((item) => item.kind === 'sbom');
  const tabs = [
    { tab: 'evidence', name: `Evidence (${artifact.evidence.length})` },
    { tab: 'components', name: `Components (${hasSbom ? components.length : 'no SBOM'})` },
    { tab: 'decisions', name: `Decisions (${artifact.decisions.length})` },
  ] as const;
  return (
    <>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Panel title="What it is">
          <Facts>
            <Fact name="Digest">
              <span className="flex items-start">
                <code className="font-mono text-xs break-all">{artifact.digest}</code>
                <Copy text={artifact.digest} label="Copy the digest" />
              </span>
            </Fact>
            <Fact name="Repository">
              {artifact.repository} <span className="text-muted">{bytes(artifact.sizeBytes)}</span>
            </Fact>
            <Fact name="Commit">
              <Hash value={artifact.commit} short={shortCommit(artifact.commit)} what="commit" />
            </Fact>
            <Fact name="Registered">
              <Time at={artifact.createdAt} />
            </Fact>
            <Fact name="Build">
              {artifact.buildId === null ? (
                'pushed from outside'
              ) : (
                <Link to="/builds/$build" params={{ build: artifact.buildId }} className="link">
                  steps and logs
                </Link>
              )}
            </Fact>
            <Fact name="Runs in">
              {artifact.runningIn.length === 0 ? (
                <span className="text-muted">nowhere now</span>
              ) : (
                artifact.runningIn.join(', ')
              )}
              {artifact.rollouts.length > 0 && (
                <span className="mt-1 flex flex-wrap gap-x-3 text-xs">
                  {artifact.rollouts.slice(0, 8).map((rollout) => (
                    <Link
                      key={rollout.id}
                      to="/rollouts/$rollout"
                      params={{ rollout: rollout.id }}
                      className="link"
                    >
                      {rollout.environment}: {(rollout.outcome ?? rollout.phase).replace('-', ' ')}
                    </Link>
                  ))}
                </span>
              )}
            </Fact>
          </Facts>
        </Panel>
        <Origin artifact={artifact} />
      </div>
      <section className="rounded-lg border bg-panel" aria-label="Details">
        <div role="tablist" aria-label="Details" className="flex gap-1 border-b px-3 pt-1.5">
          {tabs.map((one) => (
            <Link
              key={one.tab}
              to="/artifacts/$digest"
              params={{ digest: artifact.digest }}
              search={(old) => ({ ...old, tab: one.tab })}
              replace
              role="tab"
              aria-selected={tab === one.tab}
              className={`-mb-px border-b-2 px-2.5 py-1.5 text-sm font-medium ${tab === one.tab ? 'border-accent text-text' : 'border-transparent text-muted hover:text-text'}`}
            >
              {one.name}
            </Link>
          ))}
        </div>
        <div role="tabpanel" aria-label={tab}>
          {tab === 'evidence' && <EvidenceList artifact={artifact} />}
          {tab === 'components' && <Components components={components} hasSbom={hasSbom} />}
          {tab === 'decisions' && <DecisionList artifact={artifact} />}
        </div>
      </section>
    </>
  );
}

/** What the signed provenance says of its making. */
function Origin({ artifact }: { artifact: Artifact }) {
  const provenance = provenanceOf(artifact.evidence);
  const tests = testsOf(artifact.evidence);
  return (
    <Panel title="Where it comes from" aside={<span>as its provenance says</span>}>
      {provenance === null ? (
        <p className="text-muted">It has no provenance: nobody has signed how it was built.</p>
      ) : (
        <Facts>
          <Fact name="Builder">
            <span className="break-all">{provenance.builder}</span>
          </Fact>
          <Fact name="Source">
            <span className="break-all">{provenance.repository}</span>
            <code className="block font-mono text-xs text-muted">{provenance.commit}</code>
          </Fact>
          <Fact name="Sandbox">{provenance.sandbox || '–'}</Fact>
          <Fact name="Tests">
            {tests === null
              ? 'no signed test results'
              : `${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`}
          </Fact>
          <Fact name="Materials">
            <details>
              <summary className="rounded text-muted">{provenance.materials.length} inputs</summary>
              <ul className="mt-1 flex flex-col gap-1">
                {provenance.materials.map((material) => (
                  <li key={`${material.uri} ${material.digest}`} className="text-xs break-all">
                    {material.uri}
                    <code className="block font-mono text-2xs text-muted">{material.digest}</code>
                  </li>
                ))}
              </ul>
            </details>
          </Fact>
        </Facts>
      )}
    </Panel>
  );
}
