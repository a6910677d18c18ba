import { generateKeyPairSync, sign } from 'node:crypto';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Database } from '../../platform/postgres/database.ts';
import type { NewEntry } from './append.ts';
import { appendAll } from './append.ts';
import type { HeadStore } from './head.ts';
import { type LogSigner, logSigner } from './log.ts';

/** For tests: a log with a fresh key. */
export function testLog(origin = 'log.example'): LogSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
  return logSigner({ spkiDer, sign: (text) => sign(null, text, privateKey) }, origin);
}

export function memoryHeads(note: string | null = null): HeadStore & { note: string | null } {
  return {
    note,
    async load() {
      return this.note;
    },
    async save(next) {
      this.note = next;
    },
  };
}

/** A clock that moves a second each time it is read. */
export function tickingClock(startMs = Date.UTC(2026, 0, 1)): Clock {
  let nowMs = startMs;
  return {
    ...systemClock,
    nowMs() {
      nowMs += 1000;
      return nowMs;
    },
  };
}

export function someEntry(n: number, extra: Partial<NewEntry> = {}): NewEntry {
  return {
    kind: 'rollout.changed',
    atMs: Date.UTC(2026, 0, 1) + n,
    actor: 'system:worker',
    service: 'shop',
    environment: 'prod',
    subject: `rol_${n}`,
    data: { n, text: 'ünïcode ✓' },
    ...extra,
  };
}

export async function appendSome(database: Database, count: number, first = 0): Promise<number[]> {
  const entries = Array.from({ length: count }, (_, i) => someEntry(first + i));
  return await database.transaction((tx) => appendAll(tx, entries));
}

/**
 * The same database, whose n-th transaction (from 0) breaks once: before its commit, or after it, when the caller cannot
 * know that it was kept.
 */
export function breakingDatabase(
  database: Database,
  n: number,
  when: 'before commit' | 'after commit',
): Database {
  let count = -1;
  return {
    ...database,
    query: (text, values) => database.query(text, values),
    async transaction(work) {
      count += 1;
      const breaks = count === n;
      const result = await database.transaction(async (tx) => {
        const value = await work(tx);
        if (breaks && when === 'before commit')
          throw new SlipwayError('unreachable', 'injected: before commit');
        return value;
      });
      if (breaks) throw new SlipwayError('unreachable', 'injected: after commit');
      return result;
    },
  };
}
