import createClient from 'openapi-fetch';
import { toProblem, unreachable } from './problem.ts';
import type { paths } from './schema.d.ts';

/** The public API, as every other client sees it; the session is a cookie that scripts cannot read. */
export const api = createClient<paths>({ baseUrl: '/', credentials: 'same-origin' });

interface Answer<Data> {
  data?: Data | undefined;
  error?: unknown;
  response: Response;
}

/** The data of an answer, or an ApiProblem. */
export async function call<Data>(answer: Promise<Answer<Data>>): Promise<Data> {
  let settled: Answer<Data>;
  try {
    settled = await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw unreachable();
  }
  if (!settled.response.ok || settled.data === undefined) throw toProblem(settled.error, settled.response);
  return settled.data;
}

/** Works over plain http as well, where `crypto.randomUUID` is missing. */
export function idempotencyKey(): { 'Idempotency-Key': string } {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return { 'Idempotency-Key': [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
}
