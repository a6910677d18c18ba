import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, call, idempotencyKey } from '../api/client.ts';
import { queries } from '../api/queries.ts';
import type { Build } from '../api/types.ts';
import { plural, shortCommit, shortDigest } from '../format/names.ts';
import { Button } from '../parts/button.tsx';
import { Hash } from '../parts/copy.tsx';
import { Page } from '../parts/page.tsx';
import { Fact, Facts, Panel } from '../parts/panel.tsx';
import { Failure, Loaded, Skeleton } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import { BUILD_TONES } from '../service/builds.tsx';
import { elapsed } from '../time/format.ts';
import { Time } from '../time/time.tsx';
import { LogView } from './log-view.tsx';
import { Steps } from './steps.tsx';

const route = getRouteApi('/builds/$build');

export function BuildPage() {
  const { build: id } = route.useParams();
  const build = useQuery({
    ...queries.build(id),
    refetchInterval: (query) => (isOpen(query.state.data) ? 1_000 : false),
  });
  return build.data === undefined ? (
    <Page title="Build" windowTitle="Build">
      <Loaded query={build} skeleton={<Skeleton lines={8} height={32} />}>
        {() => null}
      </Loaded>
    </Page>
  ) : (
    <View build={build.data} />
  );
}

function isOpen(build: Build | undefined): boolean {
  return build?.status === 'queued' || build?.status === 'running';
}

function View({ build }: { build: Build }) {
  const { step } = route.useSearch();
  const running = isOpen(build);
  const failed = build.steps.find((one) => one.status === 'failed' || one.status === 'timed-out');
  return (
    <Page
      windowTitle={`Build of ${build.service}`}
      above={
        <>
          <Link to="/services/$service" params={{ service: build.service }} className="hover:underline">
            {build.service}
          </Link>
          <span aria-hidden>/</span>
          <Link
            to="/services/$service"
            params={{ service: build.service }}
            search={{ tab: 'builds' }}
            className="hover:underline"
          >
            Builds
          </Link>
        </>
      }
      title={
        <>
          Build of {shortCommit(build.commit)}
          <Badge tone={BUILD_TONES[build.status] ?? 'none'}>{build.status}</Badge>
        </>
      }
      actions={running ? <Cancel build={build} /> : undefined}
    >
      {(build.problem !== null || failed !== undefined) && (
        <p
          role="alert"
          className="rounded-md border border-bad/40 bg-bad-soft px-3 py-2 break-words text-bad"
        >
          {failed
            ? `${failed.name} failed first: ${failed.problem ?? `exit code ${failed.exitCode ?? 'unknown'}`}`
            : build.problem}
        </p>
      )}
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_21rem]">
        <Panel
          title="Steps"
          flush
          aside={
            build.criticalPath.steps.length > 0 && (
              <span>
                critical path {build.criticalPath.steps.join(' → ')}, {elapsed(build.criticalPath.durationMs)}
              </span>
            )
          }
        >
          {build.steps.length === 0 ? (
            <p className="p-4 text-muted">{running ? 'No step has begun.' : 'No step ran.'}</p>
          ) : (
            <Steps build={build} chosen={step} />
          )}
        </Panel>
        <BuildFacts build={build} />
      </div>
      <LogView build={build.id} running={running} />
    </Page>
  );
}

function BuildFacts({ build }: { build: Build }) {
  return (
    <Panel title="Facts">
      <Facts>
        <Fact name="Started">{build.startedAt === null ? 'not yet' : <Time at={build.startedAt} />}</Fact>
        <Fact name="Took">{build.durationMs === null ? '–' : elapsed(build.durationMs)}</Fact>
        <Fact name="Cache">{plural(build.cacheHits, 'step')} from it</Fact>
        <Fact name="Sandbox">{build.sandbox ?? '–'}</Fact>
        {build.releaseId !== null && (
          <Fact name="Release">
            <Link to="/releases/$release" params={{ release: build.releaseId }} className="link">
              what it is for
            </Link>
          </Fact>
        )}
        {build.digest !== null && (
          <Fact name="Artifact">
            <Link to="/artifacts/$digest" params={{ digest: build.digest }} className="link">
              <code className="font-mono text-xs">{shortDigest(build.digest)}</code>
            </Link>
          </Fact>
        )}
        {build.inputsDigest !== null && (
          <Fact name="Inputs">
            <Hash
              value={build.inputsDigest}
              short={shortDigest(build.inputsDigest)}
              what="digest of the inputs"
            />
          </Fact>
        )}
        {build.toolchain !== null && (
          <Fact name="Toolchain">
            <span className="text-xs text-muted">
              {Object.entries(build.toolchain)
                .map(([name, version]) => `${name} ${version}`)
                .join(', ')}
            </span>
          </Fact>
        )}
      </Facts>
    </Panel>
  );
}

function Cancel({ build }: { build: Build }) {
  const client = useQueryClient();
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const cancel = async () => {
    setBusy(true);
    setError(null);
    try {
      await call(
        api.POST('/v1/builds/{build}/cancel', {
          params: { path: { build: build.id }, header: idempotencyKey() },
        }),
      );
      await client.invalidateQueries({ queryKey: ['builds', build.id] });
    } catch (problem) {
      setError(problem as Error);
    }
    setBusy(false);
  };
  return (
    <>
      {error !== null && <Failure error={error} />}
      <Button onClick={() => void cancel()} busy={busy} disabled={build.cancelRequestedBy !== null}>
        {build.cancelRequestedBy === null ? 'Cancel the build' : 'Stopping…'}
      </Button>
    </>
  );
}
