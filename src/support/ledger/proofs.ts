import { SlipwayError } from '../../kernel/errors.ts';
import type { Queryable } from '../../platform/postgres/database.ts';
import { consistencyPath, hashRange, inclusionPath, type Range, tilesOf } from './paths.ts';
import { checkpointOfSize, coveringCheckpoint, latestCheckpoint, loadTiles, overTiles } from './store.ts';

/** Everything needed to check one entry offline against the log's public key. Bytes are base64. */
export interface InclusionProof {
  index: number;
  size: number;
  body: string;
  hashes: string[];
  root: string;
  /** The signed note of `size`. */
  checkpoint: string;
}

export interface ConsistencyProof {
  from: number;
  to: number;
  fromRoot: string;
  toRoot: string;
  hashes: string[];
}

/**
 * Proves an entry in the tree of `size`: a checkpointed size, `first` (the first checkpoint that covers the entry, so
 * the proof is the same bytes for ever), or by default the head. Errors: `not_found`, `invalid_input`, `tampered`.
 */
export async function inclusionProof(
  database: Queryable,
  index: number,
  size?: number | 'first',
): Promise<InclusionProof> {
  const [entry] = await database.query<{ body: Buffer }>('select body from ledger_entries where index = $1', [
    index,
  ]);
  if (!entry) throw new SlipwayError('not_found', `the ledger has no entry ${index}`);
  const checkpoint =
    size === 'first'
      ? await coveringCheckpoint(database, index)
      : size === undefined
        ? await latestCheckpoint(database)
        : await checkpointOfSize(database, size);
  if (!checkpoint) throw new SlipwayError('not_found', `the ledger has no checkpoint of size ${size ?? 0}`);
  if (index >= checkpoint.size) {
    throw new SlipwayError(
      'invalid_input',
      `entry ${index} is not in the tree of ${checkpoint.size} entries`,
    );
  }
  const [root, ...hashes] = await hashRanges(database, [
    { start: 0, end: checkpoint.size },
    ...inclusionPath(index, checkpoint.size),
  ]);
  return {
    index,
    size: checkpoint.size,
    body: entry.body.toString('base64'),
    hashes,
    root: root as string,
    checkpoint: checkpoint.note,
  };
}

/** Proves that the log of `to` entries begins with the log of `from`. Errors: `invalid_input`, `tampered`. */
export async function consistencyProof(
  database: Queryable,
  from: number,
  to: number,
): Promise<ConsistencyProof> {
  const head = (await latestCheckpoint(database))?.size ?? 0;
  if (from > to || to > head) {
    throw new SlipwayError('invalid_input', `want from <= to <= ${head}, the size of the ledger`);
  }
  const whole = (end: number): Range => ({ start: 0, end });
  const [fromRoot, toRoot, ...hashes] = await hashRanges(database, [
    whole(from),
    whole(to),
    ...consistencyPath(from, to),
  ]);
  return { from, to, fromRoot: fromRoot as string, toRoot: toRoot as string, hashes };
}

async function hashRanges(database: Queryable, ranges: readonly Range[]): Promise<string[]> {
  const tiles = await loadTiles(database, tilesOf(ranges));
  return overTiles(() => ranges.map((range) => hashRange(tiles, range).toString('base64')));
}
