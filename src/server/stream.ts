import { PassThrough } from 'node:stream';
import { z } from 'zod';
import { SlipwayError } from '../kernel/errors.ts';
import { sleep } from '../platform/clock.ts';
import { type Principal, RawAnswer, type RequestContext, type Route, route } from '../platform/http/route.ts';
import type { Database } from '../platform/postgres/database.ts';

export interface StreamDeps {
  database: Database;
  entries(from: number, limit: number): Promise<{ index: number; [key: string]: unknown }[]>;
  ledgerSize(): Promise<number>;
  rollout(id: string): Promise<{ generation: number; outcome: string | null; updatedAt: string }>;
  /** Evidence points after n, oldest first. */
  evidenceAfter(rollout: string, n: number): Promise<{ n: number; point: unknown }[]>;
  matrix(context: RequestContext): Promise<unknown>;
  /** Asked again while the stream is open: a revoked token cuts it. */
  stillAllowed(context: RequestContext): Promise<Principal | null>;
}

const POLL_MS = 500;
const PING_MS = 10_000;
/** What a server believes of a token (2 s), this, and a poll stay below the 5 s in which a revocation must cut. */
const REAUTHORIZE_MS = 2_000;
const MATRIX_MS = 1_000;
const MAX_ROLLOUTS = 20;
const PAGE = 500;

/**
 * One connection for everything live. Events: `entry` (ledger entries in order; their index is the event id, so that
 * Last-Event-ID resumes without a gap), `rollout` (a rollout as it stands, when it changed), `evidence` (new points of
 * its analysis), `matrix`, and `ping`.
 */
export function streamRoute(deps: StreamDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/stream',
    operationId: 'stream',
    summary: 'Live events as server-sent events',
    tag: 'observe',
    access: { verb: 'read' },
    query: z.object({
      topics: z
        .string()
        .max(2_000)
        .default('entries')
        .describe('Comma-separated: entries, matrix, rollout:<id>'),
      from: z.coerce
        .number()
        .int()
        .min(0)
        .optional()
        .describe('First ledger index wanted; default: what comes from now on'),
    }),
    produces: 'text/event-stream',
    async handle(context, { query }) {
      const topics = new Set(query.topics.split(',').map((topic) => topic.trim()));
      const rollouts = [...topics]
        .filter((topic) => topic.startsWith('rollout:'))
        .map((topic) => topic.slice('rollout:'.length));
      const unknown = [...topics].find(
        (topic) => !['entries', 'matrix'].includes(topic) && !topic.startsWith('rollout:'),
      );
      if (unknown !== undefined)
        throw new SlipwayError('invalid_input', `there is no topic ${unknown.slice(0, 80)}`, {
          hint: 'entries, matrix, rollout:<id>',
        });
      if (rollouts.length > MAX_ROLLOUTS)
        throw new SlipwayError('invalid_input', `at most ${MAX_ROLLOUTS} rollouts on one stream`);
      const resume = context.headers['last-event-id'];
      const last = typeof resume === 'string' && /^\d{1,15}$/.test(resume) ? Number(resume) + 1 : undefined;
      const next = query.from ?? last ?? (await deps.ledgerSize());
      const output = new PassThrough();
      const stop = new AbortController();
      output.once('close', () => stop.abort());
      const signal = AbortSignal.any([context.signal, stop.signal]);
      void pump(
        deps,
        context,
        output,
        { entries: topics.has('entries'), matrix: topics.has('matrix'), rollouts, next },
        signal,
      ).finally(() => output.end());
      return new RawAnswer('text/event-stream', output, {
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
    },
  });
}

interface Wanted {
  entries: boolean;
  matrix: boolean;
  rollouts: readonly string[];
  next: number;
}

async function pump(
  deps: StreamDeps,
  context: RequestContext,
  output: PassThrough,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const seen = new Map<string, { version: string; n: number }>();
  const due = { ping: 0, authorize: Date.now() + REAUTHORIZE_MS, matrix: 0 };
  let { next } = wanted;
  output.write('retry: 1000\n\n');
  while (!signal.aborted) {
    const now = Date.now();
    try {
      if (now >= due.authorize) {
        if ((await deps.stillAllowed(context)) === null) return;
        due.authorize = now + REAUTHORIZE_MS;
      }
      if (wanted.entries) next = await sendEntries(deps, output, next);
      for (const id of wanted.rollouts) await sendRollout(deps, output, id, seen);
      if (wanted.matrix && now >= due.matrix) {
        send(output, 'matrix', await deps.matrix(context));
        due.matrix = now + MATRIX_MS;
      }
      if (now >= due.ping) {
        send(output, 'ping', { at: new Date(now).toISOString() });
        due.ping = now + PING_MS;
      }
    } catch {
      // PostgreSQL is away: the client sees the stream grow stale, and it goes on when it is back.
      await sleep(POLL_MS, signal);
    }
    if (output.writableNeedDrain)
      await Promise.race([new Promise((resolve) => output.once('drain', resolve)), sleep(PING_MS, signal)]);
    await sleep(POLL_MS, signal);
  }
}

async function sendEntries(deps: StreamDeps, output: PassThrough, from: number): Promise<number> {
  const entries = await deps.entries(from, PAGE);
  for (const entry of entries) send(output, 'entry', entry, entry.index);
  const last = entries.at(-1);
  return last ? last.index + 1 : from;
}

async function sendRollout(
  deps: StreamDeps,
  output: PassThrough,
  id: string,
  seen: Map<string, { version: string; n: number }>,
): Promise<void> {
  const before = seen.get(id) ?? { version: '', n: -1 };
  const rollout = await deps.rollout(id);
  const version = `${rollout.generation} ${rollout.updatedAt} ${JSON.stringify((rollout as { verdict?: unknown }).verdict)}`;
  if (version !== before.version) send(output, 'rollout', rollout);
  const points = await deps.evidenceAfter(id, before.n);
  if (points.length > 0) send(output, 'evidence', { rollout: id, points });
  seen.set(id, { version, n: points.at(-1)?.n ?? before.n });
}

function send(output: PassThrough, event: string, data: unknown, id?: number): void {
  output.write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
