import type { Api } from '../api/client.ts';
import type { Cell, Promotion } from '../api/types.ts';
import type { Context } from '../context.ts';
import { EXIT, Interrupted, usage } from '../errors.ts';
import { aboutService, readPlaces } from '../find.ts';
import { oneLine } from '../output/clean.ts';
import { sleep } from '../sleep.ts';
import type { Run } from '../spec.ts';
import { watchOptions } from '../watch/follow.ts';
import { exitOfPromotion, promotionText, promotionWords, watchPromotion } from '../watch/promotion.ts';
import { releaseName } from '../watch/rollout.ts';

const GATE_DEADLINE_MS = 60_000;

export const promote: Run = async (context, input) => {
  const { output } = context;
  const [service = '', environment = ''] = input.args;
  const release = input.text('release');
  const digest = input.text('digest');
  if ((release === undefined) === (digest === undefined))
    throw usage(
      'give either --release or --digest',
      `slipway promote ${service} ${environment} --release <number>`,
    );
  const options = watchOptions(input);
  const api = await context.api();
  const places = await readPlaces(api, { service, environment });
  const cell = places.services[0]?.cells.find((candidate) => candidate.environment === environment);
  const what = release === undefined ? `${digest}` : `release ${release}`;
  output.note(planText(cell, `${service}/${environment}`, what));
  if (input.flag('dry-run')) {
    await output.result(
      {
        service,
        environment,
        release: release ?? null,
        digest: digest ?? null,
        event: 'dry-run',
        exit: EXIT.ok,
      },
      'nothing was changed',
    );
    return EXIT.ok;
  }
  const reason = input.text('reason');
  const opened = await aboutService(
    api,
    service,
    api.call(
      api.client.POST('/v1/services/{service}/environments/{environment}/promotions', {
        params: { path: { service, environment } },
        body: {
          ...(release === undefined ? {} : { release }),
          ...(digest === undefined ? {} : { digest }),
          ...(reason === undefined ? {} : { reason }),
          kind: input.flag('hotfix') ? 'hotfix' : 'planned',
        },
      }),
    ),
  );
  if (input.flag('watch')) return watchPromotion(context, opened, options);
  return settle(context, api, opened, { wait: !input.flag('no-wait') });
};

function planText(cell: Cell | undefined, place: string, what: string): string {
  const current = cell?.current ? `runs ${releaseName(cell.current.releaseNumber)}` : 'runs nothing yet';
  const moving = cell?.moving ? `; ${releaseName(cell.moving.releaseNumber)} is rolling out there` : '';
  return `${place} ${current}${moving}; wanted: ${oneLine(what)}`;
}

/** Waits for the gate, so that a refusal is known at once; then says how it stands. */
export async function settle(
  { io, output, signal }: Context,
  api: Api,
  opened: Promotion,
  { wait }: { wait: boolean },
): Promise<number> {
  const deadlineMs = io.nowMs() + GATE_DEADLINE_MS;
  let now = opened;
  while (wait && isUndecided(now) && io.nowMs() < deadlineMs) {
    await sleep(200, signal);
    if (signal.aborted) throw new Interrupted(`stopped waiting; the promotion goes on (${opened.id})`);
    now = await api.call(
      api.client.GET('/v1/promotions/{promotion}', { params: { path: { promotion: opened.id } } }),
    );
  }
  const code =
    now.endedAt !== null
      ? exitOfPromotion(now.status)
      : now.status === 'awaiting-approval'
        ? EXIT.pending
        : EXIT.ok;
  await output.result(
    { ...now, event: 'promotion', exit: code },
    now.endedAt === null
      ? `${now.service}/${now.environment}: ${promotionWords(now)}${now.status === 'awaiting-approval' ? '' : ` (${now.id})`}`
      : promotionText(now),
  );
  if (now.rolloutId !== null && now.endedAt === null)
    output.note(`follow it: slipway rollout watch ${now.rolloutId}`);
  if (now.status === 'denied') output.note(`see every reason: slipway why ${now.id}`);
  return code;
}

/** Nothing is known yet: neither has the gate answered nor does the promotion wait for something that takes its time. */
function isUndecided({ status, reason }: Promotion): boolean {
  return status === 'gating' || (status === 'waiting' && reason === null);
}
