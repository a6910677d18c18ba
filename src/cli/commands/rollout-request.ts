import type { Api } from '../api/client.ts';
import type { Rollout } from '../api/types.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { EXIT, Interrupted } from '../errors.ts';
import { findRollout, readPlaces } from '../find.ts';
import { sleep } from '../sleep.ts';
import type { Input, Run } from '../spec.ts';
import { outcomeText, releaseName, standing } from '../watch/rollout.ts';
import { rolloutText } from './rollout.ts';

export const pause: Run = async (context, input) => {
  const api = await context.api();
  const rollout = await findRollout(api, input.args[0] ?? '', { active: true });
  const options = { params: { path: { rollout: rollout.id } }, body: { reason: reasonOf(input) } };
  const asked = await api.call(api.client.POST('/v1/rollouts/{rollout}/pause', options));
  return taken(context, api, asked, 'paused', ({ paused }) => paused !== null);
};

export const resume: Run = async (context, input) => {
  const api = await context.api();
  const rollout = await findRollout(api, input.args[0] ?? '', { active: true });
  const options = { params: { path: { rollout: rollout.id } }, body: { reason: reasonOf(input) } };
  const asked = await api.call(api.client.POST('/v1/rollouts/{rollout}/resume', options));
  return taken(context, api, asked, 'resumed', ({ paused }) => paused === null);
};

export const abort: Run = async (context, input) => {
  const { io, output } = context;
  const api = await context.api();
  const rollout = await findRollout(api, input.args[0] ?? '', { active: true });
  const { environment, service } = rollout;
  output.note(rolloutText(rollout, context.errorStyle, io.nowMs()).trimEnd());
  const back =
    rollout.previousDigest === null
      ? 'Nothing will run there.'
      : `All traffic returns to ${releaseName(rollout.previousReleaseNumber)}; the new instances drain and stop.`;
  output.note(`Aborting it: ${back}`);
  if (input.flag('dry-run')) {
    await output.result(rollout, 'nothing was changed');
    return EXIT.ok;
  }
  const { environments } = await readPlaces(api, { service });
  const production = environments.find(({ name }) => name === environment)?.production ?? true;
  const confirmed = await confirm(context, {
    environment,
    production,
    what: 'abort the rollout',
    given: input.text('confirm'),
  });
  const options = {
    params: { path: { rollout: rollout.id } },
    body: { reason: reasonOf(input), ...(confirmed === undefined ? {} : { confirm: confirmed }) },
  };
  const asked = await api.call(api.client.POST('/v1/rollouts/{rollout}/abort', options));
  return taken(
    context,
    api,
    asked,
    'turning back',
    ({ turnedBack, outcome }) => turnedBack !== null || outcome !== null,
  );
};

function reasonOf(input: Input): string {
  return input.text('reason') ?? 'asked for on the command line';
}

/** The planner acts on a wish in its next pass; how long that may take before it is said to be open. */
const TAKEN_MS = 10_000;

async function taken(
  { io, output, signal }: Context,
  api: Api,
  asked: Rollout,
  word: string,
  isTaken: (rollout: Rollout) => boolean,
): Promise<number> {
  const deadlineMs = io.nowMs() + TAKEN_MS;
  let now = asked;
  while (!isTaken(now) && now.outcome === null && io.nowMs() < deadlineMs) {
    await sleep(200, signal);
    if (signal.aborted) throw new Interrupted('stopped waiting; what was asked for holds');
    now = await api.call(
      api.client.GET('/v1/rollouts/{rollout}', { params: { path: { rollout: asked.id } } }),
    );
  }
  const done = isTaken(now);
  const text =
    now.outcome !== null
      ? outcomeText(now)
      : `${now.service}/${now.environment}: ${done ? word : 'asked for, not taken up yet'}; ${standing(now)} (${now.id})`;
  await output.result(now, text);
  if (now.outcome === null) output.note(`follow it: slipway rollout watch ${now.id}`);
  return done ? EXIT.ok : EXIT.pending;
}
