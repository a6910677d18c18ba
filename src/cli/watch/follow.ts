import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import type { Api } from '../api/client.ts';
import type { Context } from '../context.ts';
import { EXIT, Interrupted, usage } from '../errors.ts';
import { duration, parseDuration } from '../output/time.ts';
import type { Input } from '../spec.ts';
import { createTicker } from './ticker.ts';
import { listen } from './wakes.ts';

/** What one look saw. */
export interface Look {
  /** What changed since the look before, for people. */
  lines: readonly string[];
  /** The same for programs. */
  events: readonly object[];
  /** How it stands, in a few words. */
  now: string;
  /** Set once there is nothing more to wait for. */
  end: End | null;
  /** It waits for a person: exit code 8 instead of 7 when the time runs out. */
  pending: boolean;
}

export interface End {
  code: number;
  /** Said once, on stdout: what the end was. */
  text: string;
  event: object;
}

export interface WatchOptions {
  timeoutS: number;
  failFast: boolean;
}

const DEFAULT_TIMEOUT_S = 3_600;
/** Looks even without news: a stream can break in ways that do not show. */
const LOOK_EVERY_MS = 5_000;
/** How long the server may be away before the watch gives up. */
export const AWAY_MS = 300_000;

export function watchOptions(input: Input): WatchOptions {
  const text = input.text('timeout');
  const timeoutS = text === undefined ? DEFAULT_TIMEOUT_S : parseDuration(text);
  if (timeoutS === null) throw usage(`--timeout takes a time like 90s, 10m or 1h30m, not "${text}"`);
  return { timeoutS, failFast: input.flag('fail-fast') };
}

/**
 * Looks, tells what changed, and looks again on news, until there is an end or the time is up. Gives the exit code. A
 * server that is away is waited for; a token that no longer holds ends it.
 */
export async function follow(
  context: Context,
  task: { topics: string; look(api: Api): Promise<Look>; options: WatchOptions; again: string },
): Promise<number> {
  const { io, output, signal } = context;
  const startedMs = io.nowMs();
  const deadlineMs = startedMs + task.options.timeoutS * 1_000;
  const api = await context.api();
  const ticker = createTicker(context);
  const wakes = listen(() => context.reconnect(), task.topics, signal);
  let seen: Look | null = null;
  let awaySinceMs: number | null = null;
  try {
    for (;;) {
      try {
        seen = await task.look(awaySinceMs === null && seen === null ? api : await context.api());
        if (awaySinceMs !== null) ticker.line('the server is back');
        awaySinceMs = null;
        for (const line of seen.lines) ticker.line(line);
        for (const event of seen.events) await output.event(event);
        ticker.now(seen.now);
      } catch (error) {
        if (seen === null || !isPassing(error)) throw error;
        if (awaySinceMs === null)
          ticker.line(`the server does not answer; trying again (${(error as Error).message})`);
        awaySinceMs ??= io.nowMs();
        if (io.nowMs() - awaySinceMs > AWAY_MS) throw error;
      }
      if (seen.end !== null) return await finish(context, seen.end, ticker.stop);
      const nowMs = io.nowMs();
      if (nowMs >= deadlineMs)
        return await timeUp(context, seen, awaySinceMs, nowMs - startedMs, task.again, ticker.stop);
      await wakes.wait(Math.min(awaySinceMs === null ? LOOK_EVERY_MS : 500, deadlineMs - nowMs));
      if (signal.aborted)
        throw new Interrupted(`stopped watching; it goes on without you. Watch again: ${task.again}`);
    }
  } catch (error) {
    ticker.stop();
    throw error instanceof Interrupted
      ? new Interrupted(`stopped watching; it goes on without you. Watch again: ${task.again}`)
      : error;
  } finally {
    ticker.stop();
    wakes.stop();
  }
}

function isPassing(error: unknown): boolean {
  return isSlipwayError(error) && error.retryable;
}

async function finish({ io, output }: Context, end: End, stopTicker: () => void): Promise<number> {
  stopTicker();
  if (output.json) await output.event(end.event);
  else io.stdout.write(`${end.text}\n`);
  return end.code;
}

async function timeUp(
  { output }: Context,
  seen: Look,
  awaySinceMs: number | null,
  tookMs: number,
  again: string,
  stopTicker: () => void,
): Promise<number> {
  stopTicker();
  const after = duration(Math.round(tookMs / 1_000) * 1_000);
  if (awaySinceMs !== null)
    throw new SlipwayError('unreachable', `the server was away when the time was up, after ${after}`);
  const code = seen.pending ? EXIT.pending : EXIT.timedOut;
  if (!seen.pending)
    throw new SlipwayError('timeout', `no end within ${after}; it is ${seen.now}`, {
      hint: `watch again: ${again}`,
    });
  output.note(`it waits after ${after}: ${seen.now}\nwatch again: ${again}`);
  await output.event({ event: 'timeout', exit: code });
  return code;
}
