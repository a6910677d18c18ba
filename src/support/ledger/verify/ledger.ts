import { SlipwayError } from '../../../kernel/errors.ts';
import type { Database, Queryable } from '../../../platform/postgres/database.ts';
import { openCheckpoint } from '../checkpoint.ts';
import type { LogIdentity } from '../log.ts';
import { HASH_BYTES, leafHash } from '../merkle.ts';
import { loadTiles } from '../store.ts';
import { TILE_WIDTH, tileKey } from '../tiles.ts';
import { type JudgedCheckpoint, judgeCheckpoints } from './checkpoints.ts';
import { type EntryRow, entryProblem } from './entry.ts';
import { LeafJudge } from './leaves.ts';
import { Findings, type LedgerReport } from './report.ts';
import { judgeTiles } from './tiles.ts';

const PAGE = 8 * TILE_WIDTH;
/** Past a gap this wide the entries in it are no longer named one by one. */
const MAX_GAP = 1_000;

/**
 * Reads the whole stored log, in one snapshot, and names everything that does not fit: bodies, columns, leaf hashes,
 * tiles, checkpoints, gaps, and the head remembered outside the database. Trusts nothing but the log's public key.
 * Memory does not grow with the log.
 */
export async function verifyLedger(
  database: Database,
  log: LogIdentity,
  options: { remembered?: string | null; signal?: AbortSignal } = {},
): Promise<LedgerReport> {
  return await database.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    const findings = new Findings();
    const checkpoints = await judgeCheckpoints(tx, log, findings);
    const judge = new LeafJudge(findings);
    const size = await judgeEntries(tx, checkpoints, judge, findings, options.signal);
    const root = judge.finish();
    await judgeTiles(tx, size, findings);
    await judgePending(tx, findings);
    judgeEnd(size, checkpoints, findings);
    judgeRemembered(options.remembered ?? null, log, checkpoints, findings);
    const { problems, truncated } = findings;
    return {
      ok: problems.length === 0,
      size,
      root: root.toString('hex'),
      checkpoints: checkpoints.length,
      problems,
      truncated,
    };
  });
}

async function judgeEntries(
  tx: Queryable,
  checkpoints: readonly JudgedCheckpoint[],
  judge: LeafJudge,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<number> {
  let next = 0;
  let met = 0;
  let pendingId = 0;
  const meet = () => {
    while (checkpoints[met] && (checkpoints[met] as JudgedCheckpoint).size <= next) {
      if (checkpoints[met]?.size === next && next > 0) judge.meet(checkpoints[met] as JudgedCheckpoint);
      met += 1;
      pendingId = 0;
    }
  };
  meet();
  for (;;) {
    if (signal?.aborted) throw new SlipwayError('cancelled', 'the verification was cancelled');
    const rows = await readPage(tx, next);
    const tiles = await leafTiles(tx, next, rows.at(-1)?.index ?? next);
    for (const row of rows) {
      if (row.index - next > MAX_GAP) {
        findings.add('entry', next, `the entries ${next} to ${row.index - 1} are missing`);
        return next;
      }
      for (; next < row.index; next += 1, meet()) {
        judge.add(next, { body: null, column: null, tile: tiles(next) });
      }
      const problem = entryProblem(row, checkpoints[met]?.at ?? null);
      if (problem !== null) findings.add('entry', row.index, problem);
      if (row.pending_id <= pendingId) findings.add('entry', row.index, 'its pending_id is out of order');
      pendingId = row.pending_id;
      judge.add(next, { body: leafHash(row.body), column: row.leaf_hash, tile: tiles(next) });
      next += 1;
      meet();
    }
    if (rows.length < PAGE) return next;
  }
}

async function readPage(tx: Queryable, from: number): Promise<EntryRow[]> {
  return await tx.query<EntryRow>(
    `select index, pending_id, kind, service, environment, subject, actor, body, leaf_hash,
            to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
     from ledger_entries where index >= $1 order by index limit ${PAGE}`,
    [from],
  );
}

async function leafTiles(tx: Queryable, from: number, to: number): Promise<(index: number) => Buffer | null> {
  const first = Math.floor(from / TILE_WIDTH);
  const last = Math.min(Math.floor(to / TILE_WIDTH), first + MAX_GAP);
  const wanted = Array.from({ length: last - first + 1 }, (_, i) => ({ level: 0, index: first + i }));
  const tiles = await loadTiles(tx, wanted);
  return (index) => {
    const at = (index % TILE_WIDTH) * HASH_BYTES;
    const hash = tiles.get(tileKey(0, Math.floor(index / TILE_WIDTH)))?.subarray(at, at + HASH_BYTES);
    return hash?.length === HASH_BYTES ? hash : null;
  };
}

async function judgePending(tx: Queryable, findings: Findings): Promise<void> {
  const both = await tx.query<{ id: number; index: number }>(
    'select p.id, e.index from ledger_pending p join ledger_entries e on e.pending_id = p.id limit 100',
  );
  for (const row of both)
    findings.add('pending', row.id, `it is pending and also stands as entry ${row.index}`);
}

function judgeEnd(size: number, checkpoints: readonly JudgedCheckpoint[], findings: Findings): void {
  const head = checkpoints.at(-1)?.size ?? 0;
  if (head > size) findings.add('checkpoint', head, `it signs ${head} entries, and the log has ${size}`);
  if (head < size)
    findings.add('entry', head, `no valid checkpoint covers the entries ${head} to ${size - 1}`);
}

/** Every remembered head was committed with a checkpoint row of its own before it was saved. */
function judgeRemembered(
  remembered: string | null,
  log: LogIdentity,
  checkpoints: readonly JudgedCheckpoint[],
  findings: Findings,
): void {
  if (!remembered) return;
  const head = openCheckpoint(remembered, log);
  if (typeof head === 'string') {
    findings.add('head', 'remembered', head);
    return;
  }
  const same = checkpoints.find((checkpoint) => checkpoint.size === head.size);
  if (!same)
    findings.add(
      'head',
      head.size,
      'this machine signed a head of this size, and the log has no such checkpoint',
    );
  else if (!same.root.equals(head.root))
    findings.add('head', head.size, 'the log is a fork of the one this machine signed');
}
