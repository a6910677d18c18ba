import type { Queryable } from '../../../platform/postgres/database.ts';

export interface LogPiece {
  step: string;
  sequence: number;
  text: string;
}

/** The next free sequence number of a step's log, and the bytes it holds from an earlier, interrupted run. */
export async function logPosition(
  db: Queryable,
  build: string,
  step: string,
): Promise<{ next: number; bytes: number }> {
  const [row] = await db.query<{ next: number; bytes: number }>(
    `select coalesce(max(sequence) + 1, 0)::int as next, coalesce(sum(octet_length(text)), 0)::int as bytes
       from build_logs where build_id = $1 and step = $2`,
    [build, step],
  );
  return row ?? { next: 0, bytes: 0 };
}

/** The same piece twice is no error: an insert whose answer was lost is simply made again. */
export async function storeLog(
  db: Queryable,
  piece: { build: string; step: string; sequence: number; text: string; atMs: number },
): Promise<void> {
  await db.query(
    `insert into build_logs (build_id, step, sequence, at, text) values ($1, $2, $3, $4, $5) on conflict do nothing`,
    [piece.build, piece.step, piece.sequence, new Date(piece.atMs), piece.text],
  );
}

/** Pieces of one step after `after` (-1: from the start), at most `limit`. */
export async function readLog(
  db: Queryable,
  build: string,
  step: string,
  after: number,
  limit: number,
): Promise<LogPiece[]> {
  return db.query<LogPiece>(
    `select step, sequence, text from build_logs where build_id = $1 and step = $2 and sequence > $3
      order by sequence limit $4`,
    [build, step, after, limit],
  );
}
