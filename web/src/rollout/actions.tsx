import { useQueryClient } from '@tanstack/react-query';
import { Pause, Play, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { api, call, idempotencyKey } from '../api/client.ts';
import { queries } from '../api/queries.ts';
import type { Rollout } from '../api/types.ts';
import { ActionDialog, type ActionInput } from '../parts/action-dialog.tsx';
import { Button } from '../parts/button.tsx';
import { versionName } from './words.ts';

type Kind = 'pause' | 'resume' | 'abort';

/** What a person may do to a rollout under way, each with what it means and how to undo it. */
export function RolloutActions({ rollout, production }: { rollout: Rollout; production: boolean }) {
  const [asked, setAsked] = useState<Kind | null>(null);
  const client = useQueryClient();
  if (rollout.endedAt !== null) return null;
  const turning = rollout.phase === 'rolling-back' || rollout.phase === 'finishing';
  const old = versionName(rollout.previousReleaseNumber, rollout.previousDigest);
  const send = async (kind: Kind, { reason, confirm }: ActionInput) => {
    const body = { reason, ...(confirm === undefined ? {} : { confirm }) };
    const params = { path: { rollout: rollout.id }, header: idempotencyKey() };
    const answer = await call(
      kind === 'pause'
        ? api.POST('/v1/rollouts/{rollout}/pause', { params, body })
        : kind === 'resume'
          ? api.POST('/v1/rollouts/{rollout}/resume', { params, body })
          : api.POST('/v1/rollouts/{rollout}/abort', { params, body }),
    );
    client.setQueryData(queries.rollout(rollout.id).queryKey, answer);
  };
  const dialog = (kind: Kind) => ({
    open: asked === kind,
    onOpenChange: (open: boolean) => setAsked(open ? kind : null),
    onConfirm: (input: ActionInput) => send(kind, input),
  });
  return (
    <>
      {rollout.paused ? (
        <Button look="primary" onClick={() => setAsked('resume')}>
          <Play className="size-3.5" aria-hidden /> Resume
        </Button>
      ) : (
        <Button onClick={() => setAsked('pause')} disabled={turning}>
          <Pause className="size-3.5" aria-hidden /> Pause
        </Button>
      )}
      <Button look="danger" onClick={() => setAsked('abort')} disabled={turning}>
        <Undo2 className="size-3.5" aria-hidden /> Abort
      </Button>
      <ActionDialog
        {...dialog('pause')}
        title={`Pause the rollout in ${rollout.environment}`}
        consequence={`It stays at ${rollout.weights.canary} % of traffic until a person resumes it. Evidence goes on; if the new version proves worse, it is still rolled back.`}
        undo="Resume goes on from here."
        typeName={null}
        confirmLabel="Pause"
      />
      <ActionDialog
        {...dialog('resume')}
        title={`Resume the rollout in ${rollout.environment}`}
        consequence={`It goes on from ${rollout.weights.canary} % of traffic as its steps and the evidence allow.`}
        undo="Pause holds it again; abort turns it back."
        typeName={null}
        confirmLabel="Resume"
      />
      <ActionDialog
        {...dialog('abort')}
        danger
        title={`Abort the rollout in ${rollout.environment}`}
        consequence={
          rollout.previousDigest === null
            ? 'The new version stops. Nothing ran here before, so nothing will answer.'
            : `All traffic returns to ${old} (now ${rollout.weights.canary} % is on the new version), then the new instances drain and stop.`
        }
        undo="It cannot be taken back; promote the release again to start over. Logs and evidence are kept."
        typeName={production ? rollout.environment : null}
        confirmLabel="Abort the rollout"
      />
    </>
  );
}
