import pg from 'pg';
import { SlipwayError } from '../../kernel/errors.ts';

// int8 as number: the counts and offsets here stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));

/** Anything that runs SQL: the pool or a transaction. */
export interface Queryable {
  /** Rows of one statement. Placeholders are $1, $2 …; objects and arrays of jsonb columns must be `json()`-wrapped. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface Transaction extends Queryable {
  readonly inTransaction: true;
}

export interface Database extends Queryable {
  /** Commits when `work` resolves, rolls back when it rejects. Isolation: read committed. */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result>;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/** Wraps a value for a jsonb column (pg would write a JS array as a PostgreSQL array). */
export function json(value: unknown): string {
  return JSON.stringify(value);
}

export function openDatabase(
  connectionString: string,
  options: { max?: number; applicationName?: string } = {},
): Database {
  const pool = new pg.Pool({
    connectionString,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'slipway',
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 10_000,
  });
  // A broken idle connection (PostgreSQL restarted) is replaced on next use.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return {
    pool,
    async query<Row>(text: string, values: readonly unknown[] = []) {
      const result = await guard(pool.query(text, values as unknown[]));
      return result.rows as Row[];
    },
    async transaction(work) {
      const client = await guard(pool.connect());
      let broken: Error | undefined;
      const onError = (error: Error) => {
        broken = error;
      };
      client.on('error', onError);
      try {
        await client.query('begin');
        const result = await work({
          inTransaction: true,
          async query<Row>(text: string, values: readonly unknown[] = []) {
            return (await client.query(text, values as unknown[])).rows as Row[];
          },
        });
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch((failure: Error) => {
          broken = failure;
        });
        throw translate(error);
      } finally {
        client.off('error', onError);
        client.release(broken);
      }
    },
    async close() {
      await pool.end();
    },
  };
}

async function guard<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw translate(error);
  }
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  '57P01',
  '57P02',
  '57P03',
  '08006',
  '08001',
]);

/** A lost connection becomes retryable `unreachable`, a full disk `disk_full`; everything else passes as it is. */
function translate(error: unknown): unknown {
  if (error instanceof SlipwayError) return error;
  const code = (error as { code?: string }).code ?? '';
  const message = (error as Error).message ?? '';
  if (code === '53100') return new SlipwayError('disk_full', 'PostgreSQL has no disk left', { cause: error });
  if (
    UNREACHABLE.has(code) ||
    /Connection terminated|timeout exceeded when trying to connect/.test(message)
  ) {
    return new SlipwayError('unreachable', 'PostgreSQL cannot be reached', { cause: error });
  }
  return error;
}

/** True for the unique-violation of the named constraint or index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const { code, constraint: name } = error as { code?: string; constraint?: string };
  return code === '23505' && (constraint === undefined || name === constraint);
}
