import type { ServerResponse } from 'node:http';
import { ERROR_CODES, isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import type { Logger } from '../platform/log.ts';

/** Answers with RFC 9457 problem+json. What is no SlipwayError is logged and told as `internal` without its text. */
export function sendProblem(response: ServerResponse, error: unknown, log: Logger): void {
  const known = isSlipwayError(error) ? error : new SlipwayError('internal', 'The host agent failed');
  if (!isSlipwayError(error)) log.error({ err: error }, 'request failed');
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, title } = ERROR_CODES[known.code];
  const problem = {
    type: `urn:slipway:error:${known.code}`,
    title,
    status,
    code: known.code,
    detail: known.message,
    ...(known.hint === undefined ? {} : { hint: known.hint }),
    retryable: known.retryable,
    facts: known.facts,
  };
  send(response, status, 'application/problem+json', JSON.stringify(problem));
}

export function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
