import { randomUUID } from 'node:crypto';
import createClient, { type Client } from 'openapi-fetch';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Connection } from '../connection.ts';
import { Interrupted } from '../errors.ts';
import { cleanDeep } from '../output/clean.ts';
import { toApiError } from './problem.ts';
import type { paths } from './schema.d.ts';

export interface Api {
  url: string;
  client: Client<paths>;
  /** The same, for work that takes long. */
  patient: Client<paths>;
  /** The data of an answer, or the error it tells. */
  call<Data>(answer: Promise<Answer<Data>>): Promise<Data>;
  /** A raw stream below the API's address; ends with `signal`. */
  open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
}

interface Answer<Data> {
  data?: Data | undefined;
  error?: unknown;
  response: Response;
}

export interface ApiOptions {
  connection: Connection;
  version: string;
  /** The person's Ctrl-C. */
  signal: AbortSignal;
  /** Strings are made safe for a terminal. */
  forTerminal: boolean;
}

const TIMEOUT_MS = 30_000;
const PATIENT_TIMEOUT_MS = 1_800_000;
/** A connection that breaks in the middle of a call: the server restarts. The idempotency key makes a second try safe. */
const RETRY_FOR_MS = 8_000;
const RETRY_EVERY_MS = 250;

export function createApi({ connection, version, signal, forTerminal }: ApiOptions): Api {
  const { url, token } = connection;
  const headers = {
    'user-agent': `slipway-cli/${version}`,
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const client = (timeoutMs: number) =>
    createClient<paths>({
      baseUrl: url,
      headers,
      // Credentials never follow a redirect.
      redirect: 'error',
      fetch: (request) => send(request, url, signal, timeoutMs),
    });
  return {
    url,
    client: client(TIMEOUT_MS),
    patient: client(PATIENT_TIMEOUT_MS),
    async call(answer) {
      const { data, error, response } = await answer.catch((cause: unknown) => {
        throw cause instanceof SyntaxError ? notSlipway(url, 'an answer that is not JSON') : cause;
      });
      if (!response.ok) throw toApiError(response, error, url);
      return (forTerminal ? cleanDeep(data) : data) as NonNullable<typeof data>;
    },
    async open(path, extra, until) {
      const response = await fetch(`${url}${path}`, {
        headers: { ...headers, ...extra },
        redirect: 'error',
        signal: AbortSignal.any([signal, until]),
      }).catch((error: unknown) => {
        throw toNetworkError(error, url, signal);
      });
      if (response.ok) return response;
      const text = (await response.text().catch(() => '')).slice(0, 65_536);
      throw toApiError(response, parse(text), url);
    },
  };
}

async function send(
  request: Request,
  url: string,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Response> {
  if (request.method !== 'GET') request.headers.set('idempotency-key', randomUUID());
  const startedMs = Date.now();
  for (let broken = false; ; ) {
    try {
      const limit = AbortSignal.timeout(timeoutMs);
      const response = await fetch(request.clone(), { signal: AbortSignal.any([signal, limit]) });
      // The first try may still be running behind the broken connection.
      if (!(broken && response.status === 409 && Date.now() - startedMs < RETRY_FOR_MS)) return response;
    } catch (error) {
      broken ||= isBroken(error);
      const again = broken && (isBroken(error) || isRefused(error)) && Date.now() - startedMs < RETRY_FOR_MS;
      if (signal.aborted || !again) throw toNetworkError(error, url, signal);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_EVERY_MS));
  }
}

function causeCode(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; errors?: { code?: string }[] } };
  return cause?.code ?? cause?.errors?.[0]?.code ?? '';
}

function isBroken(error: unknown): boolean {
  return ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'].includes(causeCode(error));
}

function isRefused(error: unknown): boolean {
  return causeCode(error) === 'ECONNREFUSED';
}

export function toNetworkError(error: unknown, url: string, signal: AbortSignal): Error {
  if (signal.aborted) return new Interrupted('interrupted');
  if ((error as Error).name === 'TimeoutError')
    return new SlipwayError('timeout', `${url} did not answer in time`, { cause: error });
  const code = causeCode(error);
  const why =
    WORDS[code] ?? (code || ((error as { cause?: Error }).cause?.message ?? (error as Error).message));
  return new SlipwayError('unreachable', `nothing answers at ${url}: ${why}`, { cause: error });
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  ECONNRESET: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
  UND_ERR_CONNECT_TIMEOUT: 'it took too long to connect',
  EHOSTUNREACH: 'there is no way to the host',
};

export function notSlipway(url: string, what: string): SlipwayError {
  return new SlipwayError('unreachable', `something else than Slipway answers at ${url}: ${what}`, {
    hint: 'see where the address comes from: slipway config explain',
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
