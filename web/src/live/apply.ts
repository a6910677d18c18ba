import type { QueryClient } from '@tanstack/react-query';
import { queries } from '../api/queries.ts';
import { record } from '../matrix/history.ts';
import { serverTimeIs } from '../time/now.ts';
import { type EntryFilter, type EntryPage, mergePoints, withEntry } from './merge.ts';
import { isEntry, isEvidence, isMatrix, isRollout } from './shapes.ts';
import type { LiveEvent } from './source.ts';

/** What a kind of ledger entry makes stale: the first words of query keys. */
const TOUCHES: readonly [prefix: string, keys: readonly string[]][] = [
  ['release.', ['releases', 'why']],
  ['commit.', ['releases']],
  ['build.', ['builds', 'releases']],
  ['artifact.', ['artifacts']],
  ['evidence.', ['artifacts']],
  ['gate.', ['decisions', 'artifacts', 'why']],
  ['promotion.', ['promotions', 'releases', 'why']],
  ['approval.', ['promotions', 'why']],
  ['rollout.', ['rollouts', 'rollback-targets', 'lanes', 'artifacts', 'why']],
  ['platform.', ['policies', 'matrix']],
  ['service.', ['services', 'matrix']],
  ['key.', ['keys']],
];

const SETTLE_MS = 400;

/** Puts live events into the cache the pages read from. What does not parse or fit is dropped: the next event heals it. */
export function createApply(client: QueryClient): (event: LiveEvent) => void {
  const stale = new Set<string>();
  let waiting = false;

  function touch(keys: readonly string[]) {
    for (const key of keys) stale.add(key);
    if (waiting || stale.size === 0) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      for (const key of stale) void client.invalidateQueries({ queryKey: [key] });
      stale.clear();
    }, SETTLE_MS);
  }

  return ({ type, text }) => {
    const data = parse(text);
    if (type === 'ping') serverTimeIs(Date.parse((data as { at?: string } | null)?.at ?? ''));
    else if (type === 'matrix' && isMatrix(data)) {
      serverTimeIs(Date.parse(data.at));
      record(data);
      client.setQueryData(queries.matrix().queryKey, data);
    } else if (type === 'rollout' && isRollout(data)) {
      client.setQueryData(queries.rollout(data.id).queryKey, data);
    } else if (type === 'evidence' && isEvidence(data)) {
      client.setQueryData(queries.evidence(data.rollout).queryKey, (old) =>
        old === undefined ? undefined : mergePoints(old, data.points),
      );
    } else if (type === 'entry' && isEntry(data)) {
      for (const [key, page] of client.getQueriesData<EntryPage>({ queryKey: ['entries'] }))
        if (page !== undefined) client.setQueryData(key, withEntry(page, key[1] as EntryFilter, data));
      touch(TOUCHES.filter(([prefix]) => data.kind.startsWith(prefix)).flatMap(([, keys]) => keys));
    }
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
