import type { InstanceSpec, InstanceStatus } from '../kernel/dataplane.ts';
import { ERROR_CODES, type ErrorCode, SlipwayError } from '../kernel/errors.ts';
import type { Lane } from '../kernel/ids.ts';

/** The control plane's side of the host agent's control API. */
export interface AgentClient {
  /** Orders an instance; idempotent by id. `conflict`: the id has another spec or is being stopped; `stale_fence`. */
  put(spec: InstanceSpec): Promise<InstanceStatus>;
  /** Orders the stop of an instance; null when there is none (any more). `stale_fence`. */
  remove(id: string, fence: number): Promise<InstanceStatus | null>;
  get(id: string): Promise<InstanceStatus | null>;
  list(lane?: Lane): Promise<InstanceStatus[]>;
  /** The last `tail` lines (100) of its output, also after the instance is gone. `not_found` when there never was one. */
  logs(id: string, options?: { tail?: number }): Promise<string>;
  /** What the agent enforces, and that it lives. */
  health(): Promise<Record<string, unknown>>;
  /** The agent ends; with `stopInstances` after its instances. */
  shutDown(options?: { stopInstances?: boolean }): Promise<void>;
}

export interface AgentClientOptions {
  /** `http://127.0.0.1:<port>` */
  url: string;
  token: string;
  /** Of a whole call; default 5 s. */
  timeoutMs?: number;
}

const MAX_ANSWER_BYTES = 16 * 1024 ** 2;

/** Every failure is a SlipwayError: the agent's own code, or `unreachable`, or `timeout`. */
export function createAgentClient(options: AgentClientOptions): AgentClient {
  const { url, token, timeoutMs = 5_000 } = options;

  async function call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, url), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        redirect: 'error',
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await readBounded(response);
    } catch (error) {
      if (error instanceof SlipwayError) throw error;
      if (signal.aborted)
        throw new SlipwayError('timeout', `The host agent did not answer within ${timeoutMs} ms`, {
          cause: error,
        });
      throw new SlipwayError('unreachable', 'The host agent cannot be reached', {
        cause: error,
        hint: 'Its instances go on without it; `slipway up` starts it again.',
      });
    }
    if (!response.ok) throw toError(response.status, text);
    return { status: response.status, text };
  }

  const path = (id: string) => `/instances/${encodeURIComponent(id)}`;
  return {
    put: async (spec) => parse((await call('PUT', path(spec.id), spec)).text) as InstanceStatus,
    async remove(id, fence) {
      const { status, text } = await call('DELETE', `${path(id)}?fence=${fence}`);
      return status === 204 ? null : (parse(text) as InstanceStatus);
    },
    async get(id) {
      try {
        return parse((await call('GET', path(id))).text) as InstanceStatus;
      } catch (error) {
        if (error instanceof SlipwayError && error.code === 'not_found') return null;
        throw error;
      }
    },
    async list(lane) {
      const query = lane === undefined ? '' : `?lane=${encodeURIComponent(lane)}`;
      return (parse((await call('GET', `/instances${query}`)).text) as { instances: InstanceStatus[] })
        .instances;
    },
    logs: async (id, { tail = 100 } = {}) => (await call('GET', `${path(id)}/logs?tail=${tail}`)).text,
    health: async () => parse((await call('GET', '/health')).text) as Record<string, unknown>,
    async shutDown({ stopInstances = false } = {}) {
      await call('POST', '/shutdown', { stopInstances });
    },
  };
}

/** A body that is not what the agent says is not the agent's. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlipwayError('unreachable', "What answers at the host agent's address is no host agent", {
      cause: error,
    });
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES)
      throw new SlipwayError('payload_too_large', `The host agent sent more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface Problem {
  code?: unknown;
  detail?: unknown;
  hint?: unknown;
  facts?: Record<string, string | number | boolean>;
}

function toError(status: number, text: string): SlipwayError {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // Not our agent's words; the status has to do.
  }
  const { code, detail, hint, facts } = problem;
  if (typeof code !== 'string' || !(code in ERROR_CODES)) {
    return new SlipwayError(
      'unreachable',
      `What answers at the host agent's address is no host agent (status ${status})`,
    );
  }
  return new SlipwayError(
    code as ErrorCode,
    typeof detail === 'string' ? detail : ERROR_CODES[code as ErrorCode].title,
    {
      ...(typeof hint === 'string' ? { hint } : {}),
      ...(facts === undefined ? {} : { facts }),
    },
  );
}
