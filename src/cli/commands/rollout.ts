import { shortDigest } from '../../kernel/digest.ts';
import type { Rollout } from '../api/types.ts';
import { EXIT, usage } from '../errors.ts';
import { findRollout } from '../find.ts';
import { oneLine } from '../output/clean.ts';
import { paintState, type Style } from '../output/style.ts';
import { pairs, table } from '../output/table.ts';
import { ago } from '../output/time.ts';
import type { Input, Run } from '../spec.ts';
import { releaseName, repeatsPause } from '../watch/rollout.ts';

export const list: Run = async (context, input) => {
  const { io, output } = context;
  const api = await context.api();
  const service = input.text('service');
  const environment = input.text('environment');
  const { rollouts } = await api.call(
    api.client.GET('/v1/rollouts', {
      params: {
        query: {
          ...(service === undefined ? {} : { service }),
          ...(environment === undefined ? {} : { environment }),
          ...(input.flag('active') ? { active: 'true' as const } : {}),
          limit: readLimit(input, 20, 500),
        },
      },
    }),
  );
  const rows = rollouts.map((rollout) => [
    `${rollout.service}/${rollout.environment}`,
    rollout.releaseNumber === null ? shortDigest(rollout.digest) : String(rollout.releaseNumber),
    paintState(output.style, rollout.outcome ?? (rollout.paused ? 'paused' : rollout.phase)),
    `${rollout.weights.canary} %`,
    rollout.verdict ?? '-',
    ago(rollout.createdAt, io.nowMs()),
    rollout.id,
  ]);
  await output.result(
    rollouts,
    rows.length === 0 ? '' : table(['PLACE', 'RELEASE', 'STATE', 'NEW', 'EVIDENCE', 'STARTED', 'ID'], rows),
  );
  if (rows.length === 0) output.note(input.flag('active') ? 'nothing moves now' : 'there are no rollouts');
  return EXIT.ok;
};

export function readLimit(input: Input, standard: number, most: number): number {
  const text = input.text('limit');
  if (text === undefined) return standard;
  const limit = Number(text);
  if (!/^\d{1,6}$/.test(text) || limit < 1 || limit > most)
    throw usage(`--limit takes a number from 1 to ${most}, not "${text}"`);
  return limit;
}

export const show: Run = async (context, { args }) => {
  const { io, output } = context;
  const rollout = await findRollout(await context.api(), args[0] ?? '', { active: false });
  await output.result(rollout, rolloutText(rollout, output.style, io.nowMs()));
  return EXIT.ok;
};

export function rolloutText(rollout: Rollout, style: Style, nowMs: number): string {
  const { phase, stepIndex, steps, weights, paused, turnedBack } = rollout;
  const step = phase === 'stepping' ? `, step ${stepIndex + 1} of ${steps.length}` : '';
  return `${style.bold(`${rollout.service}/${rollout.environment}`)}: ${paintState(style, rollout.outcome ?? phase)}${step}\n${pairs(
    [
      ['rollout', `${rollout.id} (${rollout.kind}, ${rollout.strategy})`],
      [
        'new',
        `${releaseName(rollout.releaseNumber)} ${shortDigest(rollout.digest)}${rollout.commit ? `, commit ${rollout.commit.slice(0, 12)}` : ''}`,
      ],
      [
        'old',
        rollout.previousDigest === null
          ? 'none: the first version here'
          : `${releaseName(rollout.previousReleaseNumber)} ${shortDigest(rollout.previousDigest)}`,
      ],
      ['traffic', `stable ${weights.stable} %, baseline ${weights.baseline} %, canary ${weights.canary} %`],
      [
        'steps',
        steps
          .map(
            ({ weight, manual }, index) =>
              `${index === stepIndex && phase === 'stepping' ? '>' : ''}${weight} %${manual ? ' (manual)' : ''}`,
          )
          .join('  ') || '-',
      ],
      rollout.verdict
        ? [
            'evidence',
            `${paintState(style, rollout.verdict)}${rollout.verdictReason ? `: ${oneLine(rollout.verdictReason)}` : ''}`,
          ]
        : null,
      paused
        ? ['paused', `by ${oneLine(paused.by)} ${ago(paused.at, nowMs)}: ${oneLine(paused.reason)}`]
        : null,
      turnedBack
        ? [
            'turned back',
            `by ${oneLine(turnedBack.by)} ${ago(turnedBack.at, nowMs)}: ${oneLine(turnedBack.reason)}`,
          ]
        : null,
      ...rollout.reasons
        .filter((reason) => !repeatsPause(rollout, reason))
        .map((reason): [string, string] => ['reason', oneLine(reason)]),
      ['started', ago(rollout.createdAt, nowMs)],
      ['ended', ago(rollout.endedAt, nowMs)],
    ],
  )}`;
}
