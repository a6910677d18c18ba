import { isSlipwayError } from '../../kernel/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database, Transaction } from '../../platform/postgres/database.ts';
import { APPENDED_CHANNEL } from './append.ts';
import { signCheckpoint } from './checkpoint.ts';
import { checkedHead, type HeadStore } from './head.ts';
import { listenForWakes } from './listen.ts';
import type { LogSigner } from './log.ts';
import { appendLeaf, type CompactTree, emptyTree, rootOf } from './merkle.ts';
import { hashRange, perfectParts } from './paths.ts';
import { loadTiles, overTiles, saveTiles } from './store.ts';
import { appendToTiles, rightEdge, type TileKey } from './tiles.ts';

/** One sequencer at a time, over all processes. */
const SEQUENCER_LOCK = 7_220_612;
const BATCH = 5_000;
/** Payload: the new size. For live streams and projections. */
export const SEQUENCED_CHANNEL = 'ledger_head';

export interface SequencerDeps {
  database: Database;
  signer: LogSigner;
  clock: Clock;
  heads: HeadStore;
}

/**
 * Moves all pending entries into the log; returns how many. Errors: `tampered` (nothing is appended), `unreachable`,
 * `disk_full`; after any of them the next call goes on from what is stored.
 */
export async function sequenceOnce(deps: SequencerDeps, batch = BATCH): Promise<number> {
  let total = 0;
  for (;;) {
    const [pending] = await deps.database.query('select 1 from ledger_pending limit 1');
    if (!pending) return total;
    const remembered = await deps.heads.load();
    const step = await deps.database.transaction((tx) => sequenceBatch(tx, deps, remembered, batch));
    // After the commit: the remembered head may lag behind the database and is never ahead of it.
    if (step.note !== null) await deps.heads.save(step.note);
    total += step.moved;
    if (step.moved < batch) return total;
  }
}

/**
 * The commit point of the log. Under the lock: prove the head, give the oldest pending entries the next indexes, widen
 * the tiles, sign the new root. All of it commits together, so a crash leaves either the old log with the entries
 * pending or the new log with a checkpoint over every entry; there is no state in between, and so nothing to repair.
 */
async function sequenceBatch(
  tx: Transaction,
  { signer, clock }: SequencerDeps,
  remembered: string | null,
  batch: number,
): Promise<{ moved: number; note: string | null }> {
  await tx.query('select pg_advisory_xact_lock($1)', [SEQUENCER_LOCK]);
  const head = await checkedHead(tx, signer, remembered);
  const size = head?.size ?? 0;
  const atMs = Math.floor(Math.max(clock.nowMs(), head?.atMs ?? 0) / 1000) * 1000;
  const leaves = await moveEntries(tx, size, atMs, batch);
  if (leaves.length === 0) return { moved: 0, note: null };
  const edge = await loadTiles(tx, rightEdge(size));
  const tree = overTiles(() => treeOf(size, edge));
  for (const leaf of leaves) appendLeaf(tree, leaf);
  await saveTiles(
    tx,
    overTiles(() => appendToTiles(size, edge, leaves)),
  );
  const root = rootOf(tree);
  const note = signCheckpoint(signer, tree.size, root, atMs);
  await tx.query('insert into ledger_checkpoints (size, root, note, signed_at) values ($1, $2, $3, $4)', [
    tree.size,
    root,
    note,
    new Date(atMs),
  ]);
  await tx.query(`select pg_notify('${SEQUENCED_CHANNEL}', $1)`, [String(tree.size)]);
  return { moved: leaves.length, note };
}

/** Returns the leaf hashes in index order. The bodies stay in PostgreSQL; `verifyLedger` hashes them again by itself. */
async function moveEntries(tx: Transaction, size: number, atMs: number, batch: number): Promise<Buffer[]> {
  const rows = await tx.query<{ index: number; leafHash: Buffer }>(
    `with moved as (
       delete from ledger_pending where id in (select id from ledger_pending order by id limit $1)
       returning id, kind, service, environment, subject, actor, at, body
     )
     insert into ledger_entries (index, pending_id, kind, service, environment, subject, actor, at, body, leaf_hash)
     select $2::bigint + row_number() over (order by id) - 1, id, kind, service, environment, subject, actor,
       case when kind = 'signature' then $3::timestamptz else at end, body, sha256('\\x00'::bytea || body)
     from moved
     returning index, leaf_hash as "leafHash"`,
    [batch, size, new Date(atMs)],
  );
  return rows.sort((a, b) => a.index - b.index).map((row) => row.leafHash);
}

/** The compact form of the stored tree: its peaks are the perfect parts of [0, size). */
function treeOf(size: number, tiles: ReadonlyMap<TileKey, Buffer>): CompactTree {
  const tree = emptyTree();
  for (const { height, index } of perfectParts({ start: 0, end: size })) {
    tree.peaks.push(hashRange(tiles, { start: index * 2 ** height, end: (index + 1) * 2 ** height }));
  }
  tree.size = size;
  return tree;
}

const POLL_MS = 1_000;
const RETRY_MS = 500;

/**
 * Runs until `signal` aborts: woken by each append, and by a poll for a wake-up that got lost. A lost PostgreSQL is
 * waited for. Rejects with `tampered` when the log does not fit its head: no retry can mend that.
 */
export async function runSequencer(
  deps: SequencerDeps & { signal: AbortSignal; log: Logger },
): Promise<void> {
  const { database, signal, log } = deps;
  const wakes = listenForWakes(database, APPENDED_CHANNEL, signal);
  try {
    let proven = false;
    while (!signal.aborted) {
      try {
        if (!proven) await checkedHead(database, deps.signer, await deps.heads.load());
        proven = true;
        const moved = await sequenceOnce(deps);
        if (moved > 0) log.debug({ moved }, 'ledger entries sequenced');
        await wakes.next(POLL_MS);
      } catch (error) {
        if (isSlipwayError(error) && error.code === 'tampered') throw error;
        if (signal.aborted) return;
        log.warn({ err: error }, 'the ledger sequencer will try again');
        await sleep(RETRY_MS, signal);
      }
    }
  } finally {
    await wakes.close();
  }
}
