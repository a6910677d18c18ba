import { shortDigest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Cell, RollbackTarget } from '../api/types.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../errors.ts';
import { readPlaces } from '../find.ts';
import { oneLine } from '../output/clean.ts';
import { paintState, type Style } from '../output/style.ts';
import { table } from '../output/table.ts';
import { ago } from '../output/time.ts';
import type { Run } from '../spec.ts';
import { watchOptions } from '../watch/follow.ts';
import { watchPromotion } from '../watch/promotion.ts';
import { releaseName } from '../watch/rollout.ts';
import { settle } from './promote.ts';

export const rollback: Run = async (context, input) => {
  const { io, output } = context;
  const [service = '', environment = ''] = input.args;
  const options = watchOptions(input);
  const api = await context.api();
  const path = { service, environment };
  const places = await readPlaces(api, path);
  const { targets } = await api.call(
    api.client.GET('/v1/services/{service}/environments/{environment}/rollback-targets', {
      params: { path },
    }),
  );
  const cell = places.services[0]?.cells.find((candidate) => candidate.environment === environment);
  const target = choose(targets, input.text('to'), `${service}/${environment}`);
  const plan = planText(context.errorStyle, `${service}/${environment}`, cell, targets, target, io.nowMs());
  if (input.flag('dry-run')) {
    const shown = planText(output.style, `${service}/${environment}`, cell, targets, target, io.nowMs());
    await output.result(
      { service, environment, event: 'dry-run', exit: EXIT.ok, targets, chosen: target.releaseId },
      `${shown}\nnothing was changed`,
    );
    return EXIT.ok;
  }
  output.note(plan);
  if (!target.safe && !input.flag('unsafe')) {
    throw new SlipwayError(
      'policy_denied',
      `going back to release ${target.releaseNumber} is not safe: ${oneLine(target.reason)}`,
      {
        hint: 'choose another with --to, or insist with --unsafe',
      },
    );
  }
  const production = places.environments.find(({ name }) => name === environment)?.production ?? true;
  const confirmed = await confirm(context, {
    environment,
    production,
    what: 'roll back',
    given: input.text('confirm'),
  });
  const opened = await api.call(
    api.client.POST('/v1/services/{service}/environments/{environment}/rollback', {
      params: { path },
      body: {
        to: target.releaseId,
        reason: input.text('reason') ?? 'asked for on the command line',
        unsafe: input.flag('unsafe'),
        ...(confirmed === undefined ? {} : { confirm: confirmed }),
      },
    }),
  );
  if (input.flag('watch')) return watchPromotion(context, opened, options);
  return settle(context, api, opened, { wait: true });
};

/** The version asked for, else the latest safe one. Pure. */
export function choose(
  targets: readonly RollbackTarget[],
  wanted: string | undefined,
  place: string,
): RollbackTarget {
  const found =
    wanted === undefined
      ? targets.find(({ safe }) => safe)
      : targets.find(
          ({ digest, releaseId, releaseNumber }) =>
            releaseId === wanted ||
            String(releaseNumber) === wanted ||
            digest === wanted ||
            (wanted.length >= 12 && shortDigest(digest) === wanted),
        );
  if (found) return found;
  const known = targets
    .map(({ releaseNumber, safe }) => `release ${releaseNumber} (${safe ? 'safe' : 'unsafe'})`)
    .join(', ');
  throw new SlipwayError(
    'not_found',
    wanted === undefined
      ? `there is no version that is safe to return to in ${place}`
      : `"${wanted}" never took over in ${place}`,
    { hint: known === '' ? 'nothing else ran here before' : `known: ${known}` },
  );
}

function planText(
  style: Style,
  place: string,
  cell: Cell | undefined,
  targets: readonly RollbackTarget[],
  target: RollbackTarget,
  nowMs: number,
): string {
  const from = cell?.current ? releaseName(cell.current.releaseNumber) : 'nothing';
  const rows = targets.map((candidate) => [
    candidate === target ? '>' : '',
    String(candidate.releaseNumber),
    candidate.commit.slice(0, 12),
    candidate.safe ? style.green('safe') : paintState(style, 'unsafe'),
    ago(candidate.healthyAt, nowMs),
    oneLine(candidate.reason),
  ]);
  return `${style.bold(place)}: from ${from} back to ${releaseName(target.releaseNumber)}\n${table(['', 'RELEASE', 'COMMIT', 'SAFE', 'TOOK OVER', 'WHY'], rows).trimEnd()}`;
}
