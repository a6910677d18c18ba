import { readFile } from 'node:fs/promises';
import { SlipwayError } from '../../kernel/errors.ts';
import { writeDurably } from '../../platform/durable.ts';
import type { Queryable } from '../../platform/postgres/database.ts';
import { MAX_NOTE_BYTES, openCheckpoint } from './checkpoint.ts';
import type { LogIdentity } from './log.ts';
import { hashRange, tilesOf } from './paths.ts';
import { latestCheckpoint, loadTiles, overTiles } from './store.ts';

/**
 * Where the sequencer remembers, outside the database, the last checkpoint it signed. What it says may be older than the
 * database (a crash between commit and save), never newer: then the database is an old backup.
 */
export interface HeadStore {
  load(): Promise<string | null>;
  save(note: string): Promise<void>;
}

export function fileHeadStore(path: string): HeadStore {
  return {
    async load() {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    save: (note) => writeDurably(path, note),
  };
}

export interface Head {
  size: number;
  root: Buffer;
  atMs: number;
}

/**
 * The log's head, after proving that the stored tiles have its root, that this log's key signed it, and that it extends
 * the head remembered outside. Null when the log is empty. Error: `tampered`, with what does not fit.
 */
export async function checkedHead(
  database: Queryable,
  log: LogIdentity,
  remembered: string | null,
): Promise<Head | null> {
  const stored = await latestCheckpoint(database);
  const known = remembered === null || remembered === '' ? null : readRemembered(remembered, log);
  if (!stored) {
    if (known && known.size > 0) throw shrunk(0, known.size);
    const [entry] = await database.query('select 1 from ledger_entries limit 1');
    if (entry) throw refused('the ledger has entries and no checkpoint');
    return null;
  }
  const head = openCheckpoint(stored.note, log);
  if (typeof head === 'string') throw refused(`the stored ledger head does not verify: ${head}`);
  if (head.size !== stored.size) throw refused('the stored ledger head says another size than its row');
  if (known && head.size < known.size) throw shrunk(head.size, known.size);
  await compareRoot(
    database,
    head.size,
    head.root,
    'the ledger tiles do not have the root of the signed head',
  );
  if (known && known.size > 0 && known.size <= head.size) {
    await compareRoot(
      database,
      known.size,
      known.root,
      'the ledger is a fork: it does not extend the remembered head',
    );
  }
  return head;
}

function readRemembered(note: string, log: LogIdentity): Head {
  const known = note.length > MAX_NOTE_BYTES ? 'it is too long' : openCheckpoint(note, log);
  if (typeof known !== 'string') return known;
  throw refused(`the remembered ledger head does not verify: ${known}`);
}

async function compareRoot(database: Queryable, size: number, root: Buffer, problem: string): Promise<void> {
  const range = { start: 0, end: size };
  const tiles = await loadTiles(database, tilesOf([range]));
  if (!overTiles(() => hashRange(tiles, range)).equals(root)) throw refused(problem);
}

function shrunk(size: number, known: number): SlipwayError {
  return new SlipwayError(
    'tampered',
    `the ledger has ${size} entries, and this machine has signed ${known}`,
    {
      hint: 'The database is an old backup or was cut. If that is meant, move keys/ledger-head away; the gap stays visible.',
      facts: { size, known },
    },
  );
}

function refused(problem: string): SlipwayError {
  return new SlipwayError('tampered', problem, { hint: 'Nothing is appended. Run: slipway ledger verify' });
}
