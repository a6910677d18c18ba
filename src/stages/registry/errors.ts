import { ERROR_CODES, type ErrorCode, SlipwayError } from '../../kernel/errors.ts';

/** Error codes of the OCI distribution specification, with status and our own code. */
const OCI_CODES = {
  BLOB_UNKNOWN: { status: 404, code: 'not_found' },
  BLOB_UPLOAD_INVALID: { status: 400, code: 'usage' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, code: 'not_found' },
  DIGEST_INVALID: { status: 400, code: 'digest_mismatch' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, code: 'not_found' },
  MANIFEST_INVALID: { status: 400, code: 'invalid_input' },
  MANIFEST_UNKNOWN: { status: 404, code: 'not_found' },
  NAME_INVALID: { status: 400, code: 'usage' },
  NAME_UNKNOWN: { status: 404, code: 'not_found' },
  SIZE_INVALID: { status: 400, code: 'usage' },
  UNAUTHORIZED: { status: 401, code: 'unauthenticated' },
  DENIED: { status: 403, code: 'forbidden' },
  UNSUPPORTED: { status: 405, code: 'usage' },
  TOOMANYREQUESTS: { status: 429, code: 'conflict' },
} as const satisfies Record<string, { status: number; code: ErrorCode }>;

export type OciCode = keyof typeof OCI_CODES;

interface ErrorOptions {
  /** Instead of the usual status of the code. */
  status?: number;
  /** Instead of the usual code of ours. */
  code?: ErrorCode;
  /** `detail` in the answer: small facts, never a secret. */
  detail?: Readonly<Record<string, string | number | boolean>>;
  cause?: unknown;
}

/** A `SlipwayError` that knows its OCI code, which the edge writes into the answer. */
export function registryError(oci: OciCode, message: string, options: ErrorOptions = {}): SlipwayError {
  const status = options.status ?? OCI_CODES[oci].status;
  return new SlipwayError(options.code ?? OCI_CODES[oci].code, message, {
    facts: { ...options.detail, oci, status },
    cause: options.cause,
  });
}

export interface ErrorAnswer {
  status: number;
  body: { errors: [{ code: string; message: string; detail?: Record<string, string | number | boolean> }] };
}

/** Status and body for any error. What is not ours says nothing of its inside. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (!(error instanceof SlipwayError))
    return answer(500, 'UNKNOWN', 'the registry failed; its log says more');
  const { oci, status, ...detail } = error.facts;
  if (typeof oci === 'string')
    return answer(Number(status), oci, error.message, { ...detail, reason: error.code });
  if (error.code === 'payload_too_large') return answer(413, 'SIZE_INVALID', error.message);
  if (error.code === 'digest_mismatch') return answer(400, 'DIGEST_INVALID', error.message);
  // The only way it comes without an OCI code: too many failed tries from the caller's address.
  if (error.code === 'unauthenticated') return answer(429, 'TOOMANYREQUESTS', error.message);
  if (error.code === 'unreachable') return answer(503, 'UNAVAILABLE', error.message);
  if (error.code === 'internal') return answer(500, 'UNKNOWN', 'the registry failed; its log says more');
  return answer(ERROR_CODES[error.code].status, 'UNKNOWN', error.message, { reason: error.code });
}

function answer(
  status: number,
  code: string,
  message: string,
  detail?: Record<string, string | number | boolean>,
): ErrorAnswer {
  return { status, body: { errors: [{ code, message, ...(detail ? { detail } : {}) }] } };
}
