import { shortDigest } from '../../kernel/digest.ts';
import type { Cell, Matrix, MatrixService } from '../api/types.ts';
import { EXIT } from '../errors.ts';
import { readPlaces } from '../find.ts';
import { oneLine } from '../output/clean.ts';
import { paintState, type Style } from '../output/style.ts';
import { pairs, table } from '../output/table.ts';
import { ago, percent } from '../output/time.ts';
import type { Run } from '../spec.ts';

export const status: Run = async (context, { args }) => {
  const { io, output } = context;
  const api = await context.api();
  const service = args[0];
  const matrix =
    service === undefined ? await api.call(api.client.GET('/v1/matrix')) : await readPlaces(api, { service });
  const [only] = matrix.services;
  const text =
    service !== undefined && only
      ? serviceText(only, output.style, io.nowMs())
      : matrix.services.length === 0
        ? ''
        : matrixText(matrix, output.style);
  await output.result(matrix.services, text);
  if (matrix.services.length === 0)
    output.note('no services yet; register one with: slipway register <repository>');
  return EXIT.ok;
};

/** Services by environments, then what moves, what waits for what, and what is wrong. */
export function matrixText(matrix: Matrix, style: Style): string {
  const names = matrix.environments.map(({ name }) => name);
  const rows = matrix.services.map((service) => [
    style.bold(service.name),
    service.latest ? `${service.latest.number} ${paintState(style, service.latest.status)}` : '-',
    ...names.map((name) =>
      cellText(
        service.cells.find(({ environment }) => environment === name),
        style,
      ),
    ),
  ]);
  const heading = ['SERVICE', 'LATEST', ...names.map((name) => name.toUpperCase())];
  const cells = matrix.services.flatMap((service) => service.cells);
  const sections = [
    section('Moving', cells.flatMap(movingRow), style),
    section('Waiting', cells.flatMap(waitingRows), style),
    section('Wrong', [...matrix.services.flatMap(problemRows), ...cells.flatMap(unhealthyRow)], style),
  ];
  return [table(heading, rows), ...sections].filter((part) => part !== '').join('\n');
}

/** `4 healthy`, `4 healthy > 5 at 25 %`. */
function cellText(cell: Cell | undefined, style: Style): string {
  if (!cell || (cell.current === null && cell.moving === null))
    return cell && cell.waiting.length > 0 ? 'waiting' : '-';
  const current = cell.current
    ? `${cell.current.releaseNumber ?? shortDigest(cell.current.digest)} ${paintState(style, cell.health)}`
    : '-';
  if (!cell.moving) return cell.waiting.length > 0 ? `${current}, waiting` : current;
  const { moving } = cell;
  const state =
    moving.phase === 'rolling-back'
      ? paintState(style, 'rolling-back')
      : `at ${moving.weight} %${moving.paused ? `, ${paintState(style, 'paused')}` : ''}`;
  return `${current} > ${moving.releaseNumber ?? shortDigest(moving.digest)} ${state}`;
}

function section(title: string, rows: readonly (readonly [string, string])[], style: Style): string {
  if (rows.length === 0) return '';
  return `${style.bold(title)}\n${pairs(rows.map(([name, value]): [string, string] => [`  ${name}`, value]))}`;
}

type Row = readonly [string, string];

function movingRow({ service, environment, moving }: Cell): Row[] {
  if (!moving) return [];
  const parts = [
    `release ${moving.releaseNumber ?? '-'}: ${moving.phase}, ${moving.weight} % of traffic`,
    moving.paused && !moving.reason.startsWith('paused') ? 'paused' : '',
    moving.verdict ? `evidence ${moving.verdict}` : '',
    oneLine(moving.reason),
  ];
  return [
    [`${service}/${environment}`, `${parts.filter((part) => part !== '').join('; ')} (${moving.rolloutId})`],
  ];
}

function waitingRows({ service, environment, waiting }: Cell): Row[] {
  return waiting.map(({ promotionId, status: state, reason, releaseNumber }) => {
    const next = state === 'awaiting-approval' ? `; slipway approve ${promotionId}` : ` (${promotionId})`;
    return [
      `${service}/${environment}`,
      `release ${releaseNumber ?? '-'}: ${state}${reason ? `, ${oneLine(reason)}` : ''}${next}`,
    ];
  });
}

function problemRows({ name, pollProblem, latest }: MatrixService): Row[] {
  const rows: Row[] = [];
  if (pollProblem) rows.push([name, `its repository: ${oneLine(pollProblem)}`]);
  if (latest?.status === 'failed')
    rows.push([name, `release ${latest.number} failed: ${oneLine(latest.problem ?? '')}`]);
  return rows;
}

function unhealthyRow({ service, environment, health, healthReason }: Cell): Row[] {
  return health === 'healthy' || health === 'empty'
    ? []
    : [[`${service}/${environment}`, `${health}: ${oneLine(healthReason)}`]];
}

/** One service: each environment in a row, then the rest. */
export function serviceText(service: MatrixService, style: Style, nowMs: number): string {
  const { latest } = service;
  const head = pairs([
    ['service', style.bold(service.name)],
    ['repository', `${service.repositoryUrl} (${service.branch})`],
    [
      'latest',
      latest
        ? `release ${latest.number} ${paintState(style, latest.status)}, ${latest.commit.slice(0, 12)} ${oneLine(latest.message.split('\n')[0] ?? '')}, ${ago(latest.createdAt, nowMs)}`
        : 'no release yet',
    ],
  ]);
  const rows = service.cells.map((cell) => {
    const stable = cell.sample?.groups.stable;
    return [
      cell.environment,
      cell.current ? String(cell.current.releaseNumber ?? shortDigest(cell.current.digest)) : '-',
      paintState(style, cell.health),
      cell.sample ? `${cell.sample.instances.ready}/${cell.sample.instances.total}` : '-',
      stable ? stable.rps.toFixed(1) : '-',
      percent(stable?.errorRate),
      stable?.p95S == null ? '-' : `${Math.round(stable.p95S * 1_000)} ms`,
      ago(cell.current?.since ?? null, nowMs),
      cell.url ?? '-',
    ];
  });
  const body = table(
    ['ENVIRONMENT', 'RELEASE', 'HEALTH', 'READY', 'RPS', 'ERRORS', 'P95', 'SINCE', 'ADDRESS'],
    rows,
  );
  const { cells } = service;
  const sections = [
    section('Moving', cells.flatMap(movingRow), style),
    section('Waiting', cells.flatMap(waitingRows), style),
    section('Wrong', [...problemRows(service), ...cells.flatMap(unhealthyRow)], style),
    section('Last', cells.flatMap(lastRow(nowMs)), style),
  ];
  return [head, body, ...sections].filter((part) => part !== '').join('\n');
}

function lastRow(nowMs: number): (cell: Cell) => Row[] {
  return ({ environment, last }) =>
    last && last.outcome !== 'succeeded'
      ? [
          [
            environment,
            `release ${last.releaseNumber ?? '-'} ${last.outcome} ${ago(last.at, nowMs)}: ${oneLine(last.reason)} (${last.rolloutId})`,
          ],
        ]
      : [];
}
