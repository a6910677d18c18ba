import { setTimeout as after } from 'node:timers/promises';
import type { BackendCounters, LaneRoute, RouterStats } from '../kernel/dataplane.ts';
import { ERROR_CODES, type ErrorCode, SlipwayError } from '../kernel/errors.ts';
import { type Lane, splitLane } from '../kernel/ids.ts';

/** A lane as the router carries it now. */
export interface AppliedLane {
  route: LaneRoute;
  fence: number;
  /** Where the lane's port really is; null while it could not be bound after a restart. */
  listening: { host: string; port: number } | null;
  /** Requests and tunnels under way, by backend id; draining and just removed backends included. */
  inFlight: Readonly<Record<string, number>>;
}

/** Figures of copies sent to a backend; they never enter its own. */
export type MirroredCounters = Omit<BackendCounters, 'id' | 'group' | 'digest'>;

/** Calls to the router's control port. Every method is safe to repeat: the fence makes a late one harmless. */
export interface RouterClient {
  /** Resolves once the route is on the router's disk and in use. `stale_fence`, `port_taken`, `unreachable`. */
  apply(route: LaneRoute, signal?: AbortSignal): Promise<AppliedLane>;
  /** null when the router does not know the lane. */
  get(lane: Lane, signal?: AbortSignal): Promise<AppliedLane | null>;
  /** Removes the lane; removing one that is gone is no error. */
  remove(lane: Lane, fence: number, signal?: AbortSignal): Promise<void>;
  stats(signal?: AbortSignal): Promise<RouterStats>;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const RETRY_PAUSE_MS = 50;

/** `url`: `http://127.0.0.1:<control port>`. The token goes into a header and nowhere else. */
export function createRouterClient(options: {
  url: string;
  token: string;
  timeoutMs?: number;
}): RouterClient {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const call = async (method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Answer> => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const request: RequestInit = {
      method,
      headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'error',
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    };
    const url = new URL(path, options.url);
    try {
      return await exchange(url, request);
    } catch (error) {
      if (error instanceof SlipwayError || request.signal?.aborted) throw unreachable(error, signal);
      // A kept connection may have been closed by a router that restarted: one more try on a new one.
      await after(RETRY_PAUSE_MS);
      return await exchange(url, request).catch((again: unknown) => {
        throw unreachable(again, signal);
      });
    }
  };
  return {
    apply: async (route, signal) => ok(await call('PUT', lanePath(route.lane), route, signal)) as AppliedLane,
    get: async (lane, signal) => {
      const answer = await call('GET', lanePath(lane), undefined, signal);
      return answer.status === 404 ? null : (ok(answer) as AppliedLane);
    },
    remove: async (lane, fence, signal) => {
      const answer = await call('DELETE', `${lanePath(lane)}?fence=${fence}`, undefined, signal);
      if (answer.status !== 404) ok(answer);
    },
    stats: async (signal) => ok(await call('GET', '/stats', undefined, signal)) as RouterStats,
  };
}

interface Answer {
  status: number;
  body: unknown;
}

function lanePath(lane: Lane): string {
  const { service, environment } = splitLane(lane);
  return `/lanes/${encodeURIComponent(service)}/${encodeURIComponent(environment)}`;
}

async function exchange(url: URL, request: RequestInit): Promise<Answer> {
  const response = await fetch(url, request);
  const declared = Number(response.headers.get('content-length') ?? 0);
  if (declared > MAX_ANSWER_BYTES)
    throw new SlipwayError('payload_too_large', 'the router answered with too many bytes');
  const text = await response.text();
  try {
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  } catch (cause) {
    throw new SlipwayError('unreachable', 'the answer at the control port is not from a Slipway router', {
      cause,
    });
  }
}

function ok(answer: Answer): unknown {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  const problem = (answer.body ?? {}) as { code?: unknown; detail?: unknown; hint?: unknown };
  const code =
    typeof problem.code === 'string' && problem.code in ERROR_CODES
      ? (problem.code as ErrorCode)
      : 'internal';
  const detail = typeof problem.detail === 'string' ? problem.detail : `the router answered ${answer.status}`;
  throw new SlipwayError(code, detail, typeof problem.hint === 'string' ? { hint: problem.hint } : {});
}

function unreachable(error: unknown, signal: AbortSignal | undefined): SlipwayError {
  if (error instanceof SlipwayError) return error;
  if (signal?.aborted)
    return new SlipwayError('cancelled', 'the call to the router was cancelled', { cause: error });
  return new SlipwayError('unreachable', 'the router does not answer at its control port', {
    hint: 'See whether the router process runs; traffic goes on without the control plane.',
    cause: error,
  });
}
