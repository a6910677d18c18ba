import { sleep } from '../../../platform/clock.ts';
import type { Database } from '../../../platform/postgres/database.ts';
import { readBuild, readSteps } from '../store.ts';
import { readLog } from './store.ts';

const LOG_PAGE = 200;
const FOLLOW_POLL_MS = 250;

/**
 * Pieces of a build's log in order: of one step (`only`), or step after step, each under a heading. With `follow` it goes on
 * until the build has ended or the reader is gone.
 */
export async function* logText(
  database: Database,
  build: string,
  only: string | null,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const shown = new Set<string>();
  for (;;) {
    const steps = await readSteps(database, build);
    const next = steps.find(({ name }) => !shown.has(name) && (only === null || name === only));
    const open = await isOpen(database, build);
    if (next) {
      if (only === null) yield `=== ${next.name}\n`;
      yield* stepText(database, build, next.name, follow, signal);
      shown.add(next.name);
    } else if (!follow || !open || steps.length > 0) {
      return;
    }
    if (signal.aborted) return;
    if (!next) await sleep(FOLLOW_POLL_MS, signal);
  }
}

async function* stepText(
  database: Database,
  build: string,
  step: string,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let after = -1;
  for (;;) {
    // Looked up before the log: what is written after that look is read by the next round.
    const open = follow && (await stepIsOpen(database, build, step));
    const pieces = await readLog(database, build, step, after, LOG_PAGE);
    for (const piece of pieces) {
      yield piece.text;
      after = piece.sequence;
    }
    if (signal.aborted || (pieces.length < LOG_PAGE && !open)) return;
    if (pieces.length < LOG_PAGE) await sleep(FOLLOW_POLL_MS, signal);
  }
}

async function stepIsOpen(database: Database, build: string, step: string): Promise<boolean> {
  if (!(await isOpen(database, build))) return false;
  const found = (await readSteps(database, build)).find(({ name }) => name === step);
  return found?.status === 'waiting' || found?.status === 'running';
}

async function isOpen(database: Database, build: string): Promise<boolean> {
  const row = await readBuild(database, build);
  return row?.status === 'queued' || row?.status === 'running';
}
