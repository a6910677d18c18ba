import type { Queryable } from '../../../platform/postgres/database.ts';
import { openCheckpoint } from '../checkpoint.ts';
import type { LogIdentity } from '../log.ts';
import type { Findings } from './report.ts';

/** A stored checkpoint after its note was judged. */
export interface JudgedCheckpoint {
  size: number;
  root: Buffer;
  /** RFC 3339. */
  at: string;
}

const PAGE = 5_000;

/** All checkpoints by size. One that does not verify is named and takes no part in what follows. */
export async function judgeCheckpoints(
  database: Queryable,
  log: LogIdentity,
  findings: Findings,
): Promise<JudgedCheckpoint[]> {
  const judged: JudgedCheckpoint[] = [];
  let after = -1;
  for (;;) {
    const rows = await database.query<{
      size: number;
      root: Buffer;
      note: string;
      signed_at: Date;
      exact: boolean;
    }>(
      `select size, root, note, signed_at, signed_at = date_trunc('second', signed_at) as exact
       from ledger_checkpoints where size > $1 order by size limit ${PAGE}`,
      [after],
    );
    for (const row of rows) {
      const opened = openCheckpoint(row.note, log);
      const problem =
        typeof opened === 'string'
          ? opened
          : (rowProblem(row, opened.size, opened.root, opened.atMs) ??
            orderProblem(opened.atMs, judged.at(-1)));
      if (problem !== null) findings.add('checkpoint', row.size, problem);
      else if (typeof opened !== 'string') {
        judged.push({ size: opened.size, root: opened.root, at: new Date(opened.atMs).toISOString() });
      }
    }
    if (rows.length < PAGE) return judged;
    after = rows.at(-1)?.size ?? after;
  }
}

function rowProblem(
  row: { size: number; root: Buffer; signed_at: Date; exact: boolean },
  size: number,
  root: Buffer,
  atMs: number,
): string | null {
  if (row.size !== size) return 'its column size differs from the signed note';
  if (!row.root.equals(root)) return 'its column root differs from the signed note';
  if (!row.exact || row.signed_at.getTime() !== atMs)
    return 'its column signed_at differs from the signed note';
  return null;
}

function orderProblem(atMs: number, before: JudgedCheckpoint | undefined): string | null {
  return before && Date.parse(before.at) > atMs ? 'it was signed before the smaller checkpoint' : null;
}
