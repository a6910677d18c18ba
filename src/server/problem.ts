import { type Diagnostic, ERROR_CODES, isSlipwayError, SlipwayError } from '../kernel/errors.ts';

/** RFC 9457 problem details, with our code and the hint for the person. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  hint?: string;
  requestId: string;
  retryable: boolean;
  diagnostics?: readonly Diagnostic[];
  facts?: Readonly<Record<string, string | number | boolean>>;
}

/** Unknown errors say nothing of themselves: their text may hold anything. They are logged with the request id. */
export function toProblem(error: unknown, requestId: string): Problem {
  const known = isSlipwayError(error) ? error : fromFastify(error);
  const { title, status, retryable } = ERROR_CODES[known.code];
  return {
    type: `https://slipway.dev/errors#${known.code}`,
    title,
    status,
    detail: known.message,
    code: known.code,
    requestId,
    retryable,
    ...(known.hint === undefined ? {} : { hint: known.hint }),
    ...(known.diagnostics.length === 0 ? {} : { diagnostics: known.diagnostics }),
    ...(Object.keys(known.facts).length === 0 ? {} : { facts: known.facts }),
  };
}

function fromFastify(error: unknown): SlipwayError {
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  if (statusCode === 413)
    return new SlipwayError('payload_too_large', 'the body is larger than this endpoint takes');
  if (statusCode === 415)
    return new SlipwayError('usage', 'the content type is not one this endpoint takes', {
      hint: 'send application/json',
    });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new SlipwayError(
      'usage',
      code === 'FST_ERR_CTP_INVALID_JSON_BODY'
        ? 'the body is not JSON'
        : (message ?? 'the call is not well formed'),
    );
  }
  return new SlipwayError('internal', 'something failed; the log has the details under this request id', {
    cause: error,
  });
}
