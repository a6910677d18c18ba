import type { Cell, MatrixService } from '../api/types.ts';
import { PHASES, type Tone, VERDICTS } from '../rollout/words.ts';

/** What a cell of the matrix says. Pure. */

export const HEALTH: Readonly<Record<Cell['health'], { word: string; tone: Tone }>> = {
  healthy: { word: 'healthy', tone: 'ok' },
  degraded: { word: 'degraded', tone: 'wait' },
  down: { word: 'down', tone: 'bad' },
  'no-data': { word: 'no data', tone: 'none' },
  empty: { word: 'nothing runs', tone: 'none' },
};

export interface CellStatus {
  kind: 'moving' | 'waiting' | 'ended';
  tone: Tone;
  text: string;
  /** Why, in the server's words. */
  reason: string;
  /** Percent of traffic on the version that comes in. */
  weight: number | null;
  /** When it began or ended. */
  at: string;
}

/** What moves here, else what waits, else how the last rollout ended. */
export function statusOf(cell: Cell): CellStatus | null {
  const { moving, last } = cell;
  if (moving) {
    const back = moving.phase === 'rolling-back';
    const verdict = moving.verdict === null ? undefined : VERDICTS[moving.verdict];
    const words = [moving.paused ? 'paused' : (PHASES[moving.phase] ?? moving.phase)];
    if (verdict && moving.phase === 'stepping') words.push(verdict.word);
    return {
      kind: 'moving',
      tone: back || moving.verdict === 'fail' ? 'bad' : moving.paused ? 'wait' : 'move',
      text: `${release(moving.releaseNumber)} ${words.join(', ')}`,
      reason: moving.reason,
      weight: moving.weight,
      at: moving.since,
    };
  }
  const [first] = cell.waiting;
  if (first) {
    const approval = cell.waiting.find((one) => one.status === 'awaiting-approval');
    const shown = approval ?? first;
    return {
      kind: 'waiting',
      tone: approval ? 'wait' : 'none',
      text: `${release(shown.releaseNumber)} ${approval ? 'needs approval' : 'waits'}`,
      reason: shown.reason,
      weight: null,
      at: shown.since,
    };
  }
  if (last === null) return null;
  return {
    kind: 'ended',
    tone: last.outcome === 'succeeded' ? 'ok' : last.outcome === 'superseded' ? 'none' : 'bad',
    text: `${release(last.releaseNumber)} ${PHASES[last.outcome] ?? last.outcome}`,
    reason: last.reason,
    weight: null,
    at: last.at,
  };
}

function release(number: number | null): string {
  return number === null ? 'a version' : `#${number}`;
}

export type Filter = 'moving' | 'waiting' | 'trouble' | 'behind';

/** Whether a cell is one of those a filter asks for. */
export function isCell(filter: Filter, cell: Cell, service: MatrixService): boolean {
  if (filter === 'moving') return cell.moving !== null;
  if (filter === 'waiting') return cell.waiting.length > 0;
  if (filter === 'behind') return isBehind(cell, service);
  return (
    cell.health === 'degraded' ||
    cell.health === 'down' ||
    cell.moving?.phase === 'rolling-back' ||
    (cell.last !== null && ['rolled-back', 'aborted', 'failed'].includes(cell.last.outcome))
  );
}

/** A newer release has been built and does not run here. */
function isBehind(cell: Cell, { latest }: MatrixService): boolean {
  if (latest?.status !== 'built' || cell.current === null) return false;
  return cell.current.releaseNumber !== null && cell.current.releaseNumber < latest.number;
}

export function select(
  services: readonly MatrixService[],
  query: string,
  filter: Filter | undefined,
): readonly MatrixService[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return services.filter(
    (service) =>
      words.every((word) => haystack(service).includes(word)) &&
      (filter === undefined || service.cells.some((cell) => isCell(filter, cell, service))),
  );
}

function haystack({ name, latest }: MatrixService): string {
  return `${name} ${latest?.commit ?? ''} ${latest?.message ?? ''} ${latest ? `#${latest.number}` : ''}`.toLowerCase();
}

export function tally(services: readonly MatrixService[]): Readonly<Record<Filter, number>> {
  const counts = { moving: 0, waiting: 0, trouble: 0, behind: 0 };
  for (const service of services)
    for (const cell of service.cells)
      for (const filter of ['moving', 'waiting', 'trouble', 'behind'] as const)
        if (isCell(filter, cell, service)) counts[filter] += 1;
  return counts;
}
