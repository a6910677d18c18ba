/** What went wrong with one request, in the server's words where it had any. Each is shown where it happened. */
export class ApiProblem extends Error {
  readonly code: string;
  /** 0 when no answer came. */
  readonly status: number;
  readonly hint: string | null;
  readonly requestId: string | null;
  readonly retryable: boolean;

  constructor(fields: {
    code: string;
    status: number;
    message: string;
    hint?: string | null;
    requestId?: string | null;
    retryable?: boolean;
  }) {
    super(fields.message);
    this.name = 'ApiProblem';
    this.code = fields.code;
    this.status = fields.status;
    this.hint = fields.hint ?? null;
    this.requestId = fields.requestId ?? null;
    this.retryable = fields.retryable ?? false;
  }
}

/** RFC 9457 problem details, or whatever else came in their place. */
export function toProblem(body: unknown, response: { status: number; headers: Headers }): ApiProblem {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
  return new ApiProblem({
    code: text(fields.code) ?? 'internal',
    status: response.status,
    message: text(fields.detail) ?? text(fields.title) ?? `the server answered ${response.status}`,
    hint: text(fields.hint),
    requestId: text(fields.requestId) ?? response.headers.get('x-request-id'),
    retryable: fields.retryable === true || response.status >= 502,
  });
}

export function unreachable(): ApiProblem {
  return new ApiProblem({
    code: 'unreachable',
    status: 0,
    message: 'the server cannot be reached',
    hint: 'It may be restarting; this page tries again by itself. Else look at: slipway up',
    retryable: true,
  });
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  return new ApiProblem({
    code: 'internal',
    status: 0,
    message: error instanceof Error ? error.message : 'something failed in this page',
  });
}
