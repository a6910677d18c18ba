import { type Diagnostic, ERROR_CODES, type ErrorCode, SlipwayError } from '../../kernel/errors.ts';
import { ApiError } from '../errors.ts';

/** An RFC 9457 problem as our server writes it. Anything may stand in for it: what does not fit is left out. */
export function toApiError(response: Response, body: unknown, url: string): SlipwayError {
  const problem = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const requestId = response.headers.get('x-request-id');
  if (typeof problem.code !== 'string') {
    return new SlipwayError(
      'unreachable',
      `something else than Slipway answers at ${url}: HTTP ${response.status}`,
      {
        hint: 'see where the address comes from: slipway config explain',
      },
    );
  }
  const known = Object.hasOwn(ERROR_CODES, problem.code);
  const detail = typeof problem.detail === 'string' ? problem.detail : 'the server gave no reason';
  return new ApiError(
    known ? (problem.code as ErrorCode) : byStatus(response.status),
    known ? detail : `${problem.code}: ${detail}`,
    {
      ...(typeof problem.hint === 'string' ? { hint: problem.hint } : {}),
      ...(typeof problem.facts === 'object' && problem.facts !== null
        ? { facts: problem.facts as Record<string, string> }
        : {}),
      diagnostics: Array.isArray(problem.diagnostics) ? problem.diagnostics.filter(isDiagnostic) : [],
      requestId: typeof problem.requestId === 'string' ? problem.requestId : requestId,
      docs: typeof problem.type === 'string' && /^https:\/\//.test(problem.type) ? problem.type : null,
    },
  );
}

/** For a code that a newer server knows and this client does not. */
function byStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 409) return 'conflict';
  if (status === 504) return 'timeout';
  return status >= 500 ? 'internal' : 'usage';
}

function isDiagnostic(value: unknown): value is Diagnostic {
  const { path, message } = (value ?? {}) as Partial<Diagnostic>;
  return typeof path === 'string' && typeof message === 'string';
}
