import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, call, idempotencyKey } from '../api/client.ts';
import { queries } from '../api/queries.ts';
import type { Promotion } from '../api/types.ts';
import { firstLine, plural, shortCommit, shortDigest } from '../format/names.ts';
import { ActionDialog, type ActionInput } from '../parts/action-dialog.tsx';
import { Button } from '../parts/button.tsx';
import { Fact, Facts } from '../parts/panel.tsx';
import { Failure, Loaded, Skeleton } from '../parts/states.tsx';
import { Badge } from '../parts/tone.tsx';
import { Results } from '../policies/results.tsx';
import { Changes } from '../service/changes.tsx';
import { Time } from '../time/time.tsx';

/** One promotion that waits for a person: what changes, what the gate found, and the answer. */
export function ApprovalCard({ promotion }: { promotion: Promotion }) {
  const [asked, setAsked] = useState<'approve' | 'reject' | null>(null);
  const client = useQueryClient();
  const release = useQuery({
    ...queries.release(promotion.releaseId ?? ''),
    enabled: promotion.releaseId !== null,
  });
  const decision = useQuery({
    ...queries.decision(promotion.decisionId ?? ''),
    enabled: promotion.decisionId !== null,
  });
  const number = release.data?.number;
  const name = number === undefined ? shortDigest(promotion.digest) : `release ${number}`;
  const answer = async (kind: 'approve' | 'reject', { reason }: ActionInput) => {
    const params = { path: { promotion: promotion.id }, header: idempotencyKey() };
    await call(
      kind === 'approve'
        ? api.POST('/v1/promotions/{promotion}/approve', { params, body: { reason } })
        : api.POST('/v1/promotions/{promotion}/reject', { params, body: { reason } }),
    );
    await client.invalidateQueries({ queryKey: ['promotions'] });
  };
  const titleId = `approval-${promotion.id}`;
  return (
    <article aria-labelledby={titleId} className="rounded-lg border bg-panel">
      <header className="flex flex-wrap items-center justify-between gap-3 border-b px-4 py-2.5">
        <h2 id={titleId} className="flex flex-wrap items-center gap-x-3 text-base font-semibold">
          {promotion.service} → {promotion.environment}: {name}
          {promotion.kind !== 'planned' && <Badge tone="wait">{promotion.kind}</Badge>}
        </h2>
        <div className="flex gap-2">
          <Button look="primary" onClick={() => setAsked('approve')}>
            Approve
          </Button>
          <Button look="danger" onClick={() => setAsked('reject')}>
            Reject
          </Button>
        </div>
      </header>
      <div className="grid gap-x-8 gap-y-4 p-4 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <Facts>
            <Fact name="Asked by">{promotion.requestedBy}</Fact>
            <Fact name="Waiting since">
              <Time at={promotion.statusAt} />
            </Fact>
            <Fact name="Expires">
              <Time at={promotion.deadlineAt} />
            </Fact>
            {release.data && (
              <Fact name="Commit">
                <Link
                  to="/releases/$release"
                  params={{ release: release.data.id }}
                  className="break-words link"
                >
                  {firstLine(release.data.commit.message)}
                </Link>
                <span className="block text-xs text-muted">
                  <code className="font-mono">{shortCommit(release.data.commit.sha)}</code> by{' '}
                  {release.data.commit.author}, signature {release.data.commit.signature}
                </span>
              </Fact>
            )}
            <Fact name="Artifact">
              <Link to="/artifacts/$digest" params={{ digest: promotion.digest }} className="link">
                <code className="font-mono text-xs">{shortDigest(promotion.digest)}</code>
              </Link>
            </Fact>
            {promotion.approvals.length > 0 && (
              <Fact name="Answers">
                {promotion.approvals.map((one) => (
                  <span key={one.actor} className="block">
                    {one.actor} {one.answer === 'approve' ? 'approved' : 'rejected'} <Time at={one.at} />
                    {one.reason !== '' && `: ${one.reason}`}
                  </span>
                ))}
              </Fact>
            )}
            {promotion.reason !== null && <Fact name="State">{promotion.reason}</Fact>}
          </Facts>
          {release.error !== null && <Failure error={release.error} retry={() => void release.refetch()} />}
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          {number !== undefined && (
            <Changes service={promotion.service} environment={promotion.environment} to={number} />
          )}
          <section>
            <h3 className="mb-1.5 text-xs font-medium text-muted">What the gate found</h3>
            {promotion.decisionId === null ? (
              <p className="text-muted">It was not asked.</p>
            ) : (
              <Loaded query={decision} skeleton={<Skeleton lines={4} />}>
                {({ results }) => <Results results={results} />}
              </Loaded>
            )}
          </section>
        </div>
      </div>
      <ActionDialog
        open={asked === 'approve'}
        onOpenChange={(open) => setAsked(open ? 'approve' : null)}
        title={`Approve ${name} for ${promotion.environment}`}
        consequence={`Your yes holds for exactly this commit, artifact, environment and policy. With ${plural(promotion.approvals.length + 1, 'answer')} given, the rollout starts as soon as enough people have approved.`}
        undo="A yes cannot be taken back; the rollout can be paused or aborted."
        typeName={null}
        reason="optional"
        confirmLabel="Approve"
        onConfirm={(input) => answer('approve', input)}
      />
      <ActionDialog
        open={asked === 'reject'}
        onOpenChange={(open) => setAsked(open ? 'reject' : null)}
        danger
        title={`Reject ${name} for ${promotion.environment}`}
        consequence="The promotion ends here; nothing is deployed."
        undo="It can be asked for again with a new promotion."
        typeName={null}
        confirmLabel="Reject"
        onConfirm={(input) => answer('reject', input)}
      />
    </article>
  );
}
